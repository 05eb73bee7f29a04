#include "init/output.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/clock.h"

enum { FLUSH_MS = 500 };

static bool may_write(const struct stat *st, const struct identity *identity)
{
	if (st->st_mode & S_IWOTH)
		return true;
	return st->st_uid == identity->uid ? (st->st_mode & S_IWUSR) != 0
	                                   : st->st_gid == identity->gid && (st->st_mode & S_IWGRP);
}

/*
 * A socket cannot be opened, and a terminal, pipe or file belongs to whoever started the container.
 * A pipe can only be reached by those who have it open anyway, so anybody may be allowed to write
 * to it; what else is somebody else's is left as it is.
 */
static bool stderr_can_be_opened(const struct identity *identity)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) < 0 || S_ISSOCK(st.st_mode))
		return false;
	if (may_write(&st, identity))
		return true;
	return S_ISFIFO(st.st_mode) && fchmod(STDERR_FILENO, RELAY_PIPE_MODE) == 0;
}

static bool all_can_open_stderr(const struct supervisor *s)
{
	for (size_t i = 0; i < s->app_count; i++)
		if (!stderr_can_be_opened(&s->apps[i].active->fpm.identity))
			return false;
	return true;
}

int output_prepare(struct supervisor *supervisor)
{
	if (all_can_open_stderr(supervisor))
		return 0;
	return relay_open(&supervisor->relay, &supervisor->loop, &supervisor->inheritance);
}

int output_of(const struct supervisor *supervisor, const struct generation *generation)
{
	if (generation->relay.to >= 0)
		return generation->relay.to;
	return supervisor->relay.to >= 0 ? supervisor->relay.to : STDERR_FILENO;
}

void output_finish(struct supervisor *supervisor)
{
	uint64_t until_ms = clock_ms() + FLUSH_MS;

	for (size_t i = 0; i < supervisor->app_count; i++)
		for (size_t g = 0; g < GENERATIONS_MAX; g++)
			relay_flush(&supervisor->apps[i].generations[g].relay, until_ms);
	relay_flush(&supervisor->relay, until_ms);
}
