#include "process/ask.h"

#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/signals.h"
#include "util/cleanup.h"

enum { DYING_MS = 500 };

struct asking {
	struct helper helper;
	void *answer;
	size_t size;
	int fd;
	bool answered, ended;
};

static void on_answer(struct helper *helper, const void *answer, size_t size)
{
	struct asking *asking = container_of(helper, struct asking, helper);

	if (asking->answered || size != asking->size)
		return;
	memcpy(asking->answer, answer, size);
	asking->fd = TAKE_FD(helper->passed_fd);
	asking->answered = true;
}

static void on_end(struct helper *helper)
{
	container_of(helper, struct asking, helper)->ended = true;
}

static struct inheritance as_we_are(void)
{
	struct inheritance inheritance = { .umask = umask(0) };

	(void)umask(inheritance.umask);
	(void)sigprocmask(SIG_SETMASK, NULL, &inheritance.mask);
	return inheritance;
}

/* Killed or ended, it is soon gone; unless it waits for a file system, which we must not. */
static void reap(pid_t pid)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd gone = { .fd = pidfd, .events = POLLIN };

	if (pidfd >= 0)
		(void)poll(&gone, 1, DYING_MS);
	(void)waitpid(pid, NULL, WNOHANG);
}

static int ask(struct loop *loop, const struct question *question, struct asking *asking)
{
	const struct inheritance inheritance = as_we_are();
	int r = helper_start(&asking->helper, loop, &inheritance, question);
	const pid_t pid = asking->helper.pid;

	if (r < 0)
		return r;
	while (r >= 0 && !asking->answered && !asking->ended)
		r = loop_turn(loop);
	helper_stop(&asking->helper);
	reap(pid);
	if (r < 0 || asking->answered)
		return r;
	return asking->helper.late ? -ETIMEDOUT : -ENODATA;
}

int helper_ask(const struct question *question, void *answer, size_t size, int *fd)
{
	struct asking asking = {
		.helper = { .on_answer = on_answer, .on_end = on_end },
		.answer = answer,
		.size = size,
		.fd = FD_NONE,
	};
	struct loop loop;
	int r = loop_init(&loop);

	if (r >= 0) {
		r = ask(&loop, question, &asking);
		loop_done(&loop);
	}
	if (fd)
		*fd = TAKE_FD(asking.fd);
	fd_close(&asking.fd);
	return r;
}
