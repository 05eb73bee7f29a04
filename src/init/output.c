#include "init/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

static bool may_write(const struct stat *st, const struct identity *identity)
{
	if (identity->uid == 0 || (st->st_mode & S_IWOTH))
		return true;
	return st->st_uid == identity->uid ? (st->st_mode & S_IWUSR) != 0
	                                   : st->st_gid == identity->gid && (st->st_mode & S_IWGRP);
}

/*
 * FPM does not open a terminal again (fpm_stdio.c), a socket cannot be opened, and a pipe or file
 * belongs to whoever started the container.  A pipe has no use but this one, so it may change
 * hands; a file of somebody else may not.
 */
static bool stderr_can_be_opened(const struct identity *identity)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) < 0 || S_ISSOCK(st.st_mode))
		return false;
	if (S_ISCHR(st.st_mode))
		return isatty(STDERR_FILENO) || may_write(&st, identity);
	if (may_write(&st, identity))
		return true;
	return S_ISFIFO(st.st_mode) && fchown(STDERR_FILENO, identity->uid, (gid_t)-1) == 0;
}

static void copy_to_stderr(const void *query, int answer_fd)
{
	const int *from = query;
	char buffer[4096]; /* PIPE_BUF: lines of several writers do not mix */
	ssize_t n;

	(void)answer_fd;
	while ((n = read(*from, buffer, sizeof(buffer))) > 0)
		if (write(STDERR_FILENO, buffer, (size_t)n) < 0)
			_exit(EXIT_FAILURE);
}

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	(void)helper;
	(void)data;
	(void)size;
}

static void on_end(struct helper *helper)
{
	(void)helper;
	log_write(LOG_WARNING, "the helper that copies FPM's log lines ended");
}

int output_prepare(struct supervisor *supervisor, const struct identity *identity)
{
	int ends[2];

	supervisor->stderr_fd = STDERR_FILENO;
	if (stderr_can_be_opened(identity))
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	struct question question = {
		.run = copy_to_stderr,
		.query = &ends[0],
		.power = POWER_NETWORK,
		.keep = { ends[0] },
		.keep_count = 1,
	};
	supervisor->relay.on_answer = on_answer;
	supervisor->relay.on_end = on_end;
	int r = identity->uid != geteuid() && fchown(ends[1], identity->uid, (gid_t)-1) < 0
	                ? -errno
	                : helper_start(&supervisor->relay, &supervisor->loop,
	                               &supervisor->inheritance, &question);
	fd_close(&ends[0]);
	if (r < 0)
		fd_close(&ends[1]);
	else
		supervisor->stderr_fd = ends[1];
	return r;
}
