#include "init/yield.h"

#include "question/yield.h"
#include "util/cleanup.h"

enum { YIELD_MS = 1000 };

static bool is_draining(const struct master *master, const struct lane_watch *watch)
{
	return master->state == MASTER_DRAINING && master->lane == watch->lane;
}

/*
 * Only who is the user of a process may choose its processors.  A master that is root has workers
 * of several users, and they stay where they are.
 */
static void add_master(const struct master *master, struct question *question,
                       struct yield_query *query)
{
	const struct identity *user = &master->generation->fpm.identity;

	if (query->count == 0)
		question->identity = *user;
	if (user->uid != 0 && user->uid == question->identity.uid &&
	    query->count < YIELD_MASTERS_MAX)
		query->masters[query->count++] = master->child.pid;
}

void yield_begin(struct lane_watch *watch)
{
	struct app *app = watch->app;
	struct supervisor *s = app->supervisor;
	struct yield_query *query = helper_query(sizeof(*query));
	struct question question = {
		.run = yield_run,
		.query = query,
		.power = POWER_YIELD,
		.timeout_ms = YIELD_MS,
	};

	/* After a stop nobody is left to serve. */
	if (helper_running(&watch->yield) || s->stop != STOP_NONE)
		return;
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (is_draining(&app->masters[i], watch))
			add_master(&app->masters[i], &question, query);
	if (query->count > 0)
		(void)!helper_start(&watch->yield, &s->loop, &s->inheritance, &question);
}

void yield_stop(struct lane_watch *watch)
{
	helper_stop(&watch->yield);
}

static void on_answer(struct helper *helper, const void *answer, size_t size)
{
	(void)helper;
	(void)answer;
	(void)size;
}

static void on_end(struct helper *helper)
{
	(void)helper;
}

void yield_init(struct lane_watch *watch)
{
	watch->yield.source.fd = FD_NONE;
	watch->yield.on_answer = on_answer;
	watch->yield.on_end = on_end;
}
