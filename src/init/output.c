#include "init/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

enum {
	OPEN_PIPE = 0622,
	RELAY_AGAIN_MS = 100,
	FLUSH_MS = 500,
};

static bool may_write(const struct stat *st, const struct identity *identity)
{
	if (st->st_mode & S_IWOTH)
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

static int start_relay(struct supervisor *s);

/* The pipe keeps what comes meanwhile. */
static void on_relay_due(struct deadline *deadline)
{
	struct supervisor *s = container_of(deadline, struct supervisor, relay_again);
	int r = start_relay(s);

	if (r < 0) {
		log_errno(r, "cannot copy FPM's log lines, trying again");
		deadline_arm(&s->loop, deadline, RELAY_AGAIN_MS);
	}
}

static void on_end(struct helper *helper)
{
	struct supervisor *s = container_of(helper, struct supervisor, relay);

	log_write(LOG_WARNING, "the helper that copies FPM's log lines ended, starting another");
	s->relay_again.on_due = on_relay_due;
	deadline_arm(&s->loop, &s->relay_again, RELAY_AGAIN_MS);
}

static int start_relay(struct supervisor *s)
{
	struct question question = {
		.run = copy_to_stderr,
		.query = &s->relay_fd,
		.power = POWER_NETWORK,
		.keep = { s->relay_fd },
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
	supervisor->relay_fd = ends[0];
	r = fchmod(ends[1], OPEN_PIPE) < 0 ? -errno : start_relay(supervisor);
	if (r < 0) {
		fd_close(&supervisor->relay_fd);
		fd_close(&ends[1]);
		return r;
	}
	supervisor->stderr_fd = ends[1];
	return 0;
}

void output_finish(struct supervisor *supervisor)
{
	struct supervisor *s = supervisor;
	struct pollfd relay = { .fd = s->relay.source.fd, .events = POLLIN };

	if (!helper_running(&s->relay))
		return;
	/* Ours was the last writing end, so the helper ends when it has copied all. */
	fd_close(&s->stderr_fd);
	(void)poll(&relay, 1, FLUSH_MS);
	helper_stop(&s->relay);
}
