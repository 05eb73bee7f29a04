#include "process/ask.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "loop/signals.h"
#include "util/cleanup.h"

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
	/* It may be waiting for a file system, which the answer must not. */
	(void)waitpid(pid, NULL, WNOHANG);
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
