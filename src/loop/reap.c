#include "loop/reap.h"

#include <errno.h>
#include <sys/wait.h>

/* SIGCHLDs merge, so one of them can stand for many deaths: go on until no zombie is left. */
bool reap_all(reap_fn *on_exit, void *context)
{
	for (int i = 0; i < REAP_BATCH; i++) {
		siginfo_t info = { .si_pid = 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
			return false; /* no child, or none of them dead */
		on_exit(&info, context);
	}
	return true;
}

int exit_code_of(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
}
