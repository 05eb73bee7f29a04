#include "init/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

enum { OPEN_PIPE = 0622 };

static bool may_write(const struct stat *st, const struct identity *identity)
{
	if (identity->uid == 0 || (st->st_mode & S_IWOTH))
		return true;
	return st->st_uid == identity->uid ? (st->st_mode & S_IWUSR) != 0
	                                   : st->st_gid == identity->gid && (st->st_mode & S_IWGRP);
}

/*
 * FPM does not open a terminal again (fpm_stdio.c), a socket cannot be opened, and a pipe or file
 * belongs to whoever started the container.  A pipe can only be reached by those who have it open
 * anyway, so anybody may be allowed to write to it; a file of somebody else is left as it is.
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
	return S_ISFIFO(st.st_mode) && fchmod(STDERR_FILENO, OPEN_PIPE) == 0;
}

static bool all_can_open_stderr(const struct supervisor *s)
{
	for (size_t i = 0; i < s->app_count; i++)
		if (!stderr_can_be_opened(&s->apps[i].active->fpm.identity))
			return false;
	return true;
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

static int start_relay(struct supervisor *s, int from)
{
	struct question question = {
		.run = copy_to_stderr,
		.query = &from,
		.power = POWER_NETWORK,
		.keep = { from },
		.keep_count = 1,
	};

	s->relay.on_answer = on_answer;
	s->relay.on_end = on_end;
	return helper_start(&s->relay, &s->loop, &s->inheritance, &question);
}

int output_prepare(struct supervisor *supervisor)
{
	int ends[2];
	int r;

	supervisor->stderr_fd = STDERR_FILENO;
	if (all_can_open_stderr(supervisor))
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	r = fchmod(ends[1], OPEN_PIPE) < 0 ? -errno : start_relay(supervisor, ends[0]);
	fd_close(&ends[0]);
	if (r < 0)
		fd_close(&ends[1]);
	else
		supervisor->stderr_fd = ends[1];
	return r;
}
