#include "question/drain.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "listen/lane.h"
#include "process/helper.h"
#include "question/scoreboard.h"
#include "util/clock.h"

static void pause_ms(long ms)
{
	struct timespec time = { .tv_nsec = ms * 1000000 };

	(void)nanosleep(&time, NULL);
}

/*
 * A master that has gone closes its status socket: nothing of it is left to wait for (its exit
 * is the supervisor's to see).  One that does not answer is not known to be idle.
 */
static void add_master(const struct drain_query *query, const struct drain_socket *socket,
                       struct drain_answer *answer)
{
	struct fpm_status status = { 0 };
	int r = scoreboard_ask(query->private_fd, socket->name, socket->path,
	                       clock_ms() + DRAIN_ASK_MS, &status);

	if (r == -ECONNREFUSED || r == -ENOENT)
		return;
	if (r < 0)
		status = (struct fpm_status){ .busy = 1, .busy_state = WORKER_OTHER };
	if (status.busy > 0 && answer->busy == answer->busy_rescue) {
		answer->busy_pid = status.busy_pid;
		answer->busy_state = status.busy_state;
	}
	answer->busy += status.busy;
	if (socket->rescue)
		answer->busy_rescue += status.busy;
}

/* The queue is looked at last: what left it meanwhile shows in the next look at the workers. */
static struct drain_answer look(const struct drain_query *query)
{
	struct drain_answer answer = { 0 };

	for (unsigned i = 0; i < query->socket_count; i++)
		add_master(query, &query->sockets[i], &answer);
	for (unsigned i = 0; i < query->listener_count; i++)
		if (listener_has_queue(query->listeners[i]))
			answer.queued = true;
	return answer;
}

static bool quiet(const struct drain_answer *answer)
{
	return answer->busy == 0 && !answer->queued;
}

static bool differs(const struct drain_answer *a, const struct drain_answer *b)
{
	return a->busy != b->busy || quiet(a) != quiet(b) || a->busy_rescue != b->busy_rescue ||
	       a->stuck != b->stuck;
}

/* A queue that never empties, though it may move, is one that needs help. */
static bool is_stuck(const struct drain_query *query, const struct drain_answer *answer,
                     uint64_t *queued_since_ms)
{
	uint64_t now = clock_ms();

	if (!answer->queued)
		*queued_since_ms = 0;
	else if (*queued_since_ms == 0)
		*queued_since_ms = now;
	return answer->queued && now - *queued_since_ms >= query->stuck_ms;
}

void drain_run(const void *query, int answer_fd)
{
	uint64_t queued_since_ms = 0;
	struct drain_answer said = { 0 }, answer = { 0 };
	unsigned looks = 0;
	unsigned quiet_looks = 0;

	while (quiet_looks < 2) {
		if (looks > 0)
			/* At first every few milliseconds matter, later the looking does. */
			pause_ms(looks < 50 ? DRAIN_APART_MS : 5 * DRAIN_APART_MS);
		answer = look(query);
		answer.stuck = is_stuck(query, &answer, &queued_since_ms);
		quiet_looks = quiet(&answer) ? quiet_looks + 1 : 0;
		if (differs(&answer, &said) || looks == 0)
			helper_answer(answer_fd, &answer, sizeof(answer));
		said = answer;
		looks++;
	}
	answer.idle = true;
	helper_answer(answer_fd, &answer, sizeof(answer));
}
