#include "loop/signals.h"

#include <errno.h>
#include <stddef.h>
#include <sys/signalfd.h>

#include "util/macros.h"

static const int faults[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP };

/* Numbers the C library keeps for itself fail, and are not ours to change. */
static void set_default_dispositions(void)
{
	struct sigaction by_default = { .sa_handler = SIG_DFL };

	for (int number = 1; number < NSIG; number++)
		(void)sigaction(number, &by_default, NULL);
}

/*
 * An ignored signal never becomes pending, and with SIGCHLD ignored the kernel reaps our children
 * behind our back; whoever started us may have left it so (sigaction(2)).
 */
int signals_open(sigset_t *old)
{
	sigset_t set;

	set_default_dispositions();
	sigfillset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&set, faults[i]);
	if (sigprocmask(SIG_SETMASK, &set, old) < 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

void signals_restore(const sigset_t *mask)
{
	set_default_dispositions();
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
}

sigset_t signals_ignored(void)
{
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	for (int number = 1; number < NSIG; number++)
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			sigaddset(&set, number);
	return set;
}

void signals_ignore(const sigset_t *set)
{
	for (int number = 1; number < NSIG; number++)
		if (sigismember(set, number) == 1)
			(void)signal(number, SIG_IGN);
}
