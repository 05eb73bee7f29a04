#include "cli/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "question/private.h"
#include "question/scoreboard.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

enum {
	ASK_MS = 1000,
	QUESTIONS_MAX = 256, /* processes at a time */
};

/* One process that asks one socket. */
struct question {
	int fd; /* where its answer comes from */
	pid_t pid;
	struct pool_view *pool;
};

struct reported {
	uint32_t ping_us;
	struct fpm_status status;
};

struct round {
	int private_fd;
	uint64_t until_ms;
	int trouble; /* -errno: somebody was not asked */
	unsigned count;
	struct question questions[QUESTIONS_MAX];
};

static NORETURN void ask(const struct round *round, const char *name, const char *path, int fd)
{
	struct reported answer;
	uint64_t began_us = clock_us();
	int r = scoreboard_ask(round->private_fd, name, path, round->until_ms, &answer.status);

	answer.ping_us = (uint32_t)(clock_us() - began_us);
	if (r >= 0)
		r = write(fd, &answer, sizeof(answer)) == (ssize_t)sizeof(answer) ? 0 : -EIO;
	_exit(r >= 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void take_answer(struct question *question)
{
	struct reported answer;

	if (read(question->fd, &answer, sizeof(answer)) == (ssize_t)sizeof(answer)) {
		question->pool->answers = true;
		question->pool->ping_us = answer.ping_us;
		question->pool->status = answer.status;
	}
	fd_close(&question->fd);
	(void)waitpid(question->pid, NULL, 0);
}

static void take_answers(struct round *round)
{
	for (unsigned i = 0; i < round->count; i++)
		take_answer(&round->questions[i]);
	round->count = 0;
	round->until_ms = clock_ms() + ASK_MS;
}

/* Answers are smaller than a pipe, so who asked need not wait for us to read. */
static void start(struct round *round, struct replica_view *replica, struct pool_view *pool,
                  const struct wire_pool *wire)
{
	char name[PRIVATE_NAME_SIZE];
	int fds[2];

	if (round->count == QUESTIONS_MAX)
		take_answers(round);
	if (pipe2(fds, O_CLOEXEC) < 0) {
		round->trouble = -errno;
		return;
	}
	private_name(replica->wire.app_index, replica->wire.serial, wire->number, PRIVATE_STATUS,
	             name);
	pid_t pid = fork();
	if (pid == 0)
		ask(round, name, wire->path, fds[1]);
	if (pid < 0)
		round->trouble = -errno;
	fd_close(&fds[1]);
	if (pid > 0)
		round->questions[round->count++] = (struct question){ fds[0], pid, pool };
	else
		fd_close(&fds[0]);
}

static void start_all(struct round *round, struct app_view *app)
{
	for (unsigned i = 0; i < app->replica_count; i++) {
		struct replica_view *replica = &app->replicas[i];

		for (unsigned k = 0; k < app->pool_count; k++) {
			const struct wire_pool *wire = &app->pools[k];

			if (wire->generation != replica->wire.generation ||
			    replica->pool_count == POOLS_MAX)
				continue;
			struct pool_view *pool = &replica->pools[replica->pool_count++];

			text_copy_cut(pool->name, sizeof(pool->name), wire->name);
			if (replica->wire.pid != 0)
				start(round, replica, pool, wire);
		}
	}
}

void scoreboard_add(struct fpm_status *sum, const struct fpm_status *more)
{
	sum->accepted += more->accepted;
	sum->active_max += more->active_max;
	sum->children_max += more->children_max;
	sum->slow += more->slow;
	sum->processes += more->processes;
	sum->busy += more->busy;
	sum->reading_headers += more->reading_headers;
}

/* Its pools have a queue each. */
static void sum_up(struct replica_view *replica)
{
	replica->answers = replica->pool_count > 0;
	for (unsigned i = 0; i < replica->pool_count; i++) {
		const struct pool_view *pool = &replica->pools[i];

		if (!pool->answers)
			replica->answers = false;
		if (pool->ping_us > replica->ping_us)
			replica->ping_us = pool->ping_us;
		scoreboard_add(&replica->status, &pool->status);
		replica->status.queue += pool->status.queue;
		replica->status.queue_max += pool->status.queue_max;
	}
}

int scoreboard_fill(const char *run_dir, struct app_view apps[], unsigned count)
{
	static struct round round;
	char path[CONFIG_PATH_SIZE + 16];
	struct text text = TEXT(path);

	text_add(&text, "%s/private", run_dir);
	_cleanup_close_ int private_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	round.private_fd = private_fd;
	round.trouble = 0;
	round.until_ms = clock_ms() + ASK_MS;
	for (unsigned i = 0; i < count && private_fd >= 0; i++)
		start_all(&round, &apps[i]);
	take_answers(&round);
	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < apps[i].replica_count; k++)
			sum_up(&apps[i].replicas[k]);
	return round.trouble;
}
