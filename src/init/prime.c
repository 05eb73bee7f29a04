#include "init/prime.h"

#include <string.h>

#include "question/prime.h"
#include "util/cleanup.h"

enum { PRIME_MS = 10000, SLACK_MS = 1000 };

/* How many workers of the first pool wait for visitors; ondemand has none yet. */
static unsigned workers_of(const struct master *master)
{
	const struct generation *generation = master->generation;
	struct fpm_pool share = fpm_pool_share(
		&generation->fpm.settings.pools[0],
		generation->fpm.app.workers == WORKERS_SPLIT ? generation->fpm.app.replicas : 1,
		generation->fpm.app.workers == WORKERS_SPLIT ? master->number - 1 : 0);

	return share.pm == PM_STATIC    ? share.max_children
	       : share.pm == PM_DYNAMIC ? share.start_servers
	                                : 0;
}

/* The workers of all candidates, and the pages that did well in each of them. */
static unsigned look(const struct app *app, uint64_t *warm_set)
{
	unsigned workers = 0;

	*warm_set = UINT64_MAX;
	for (size_t i = 0; i < MASTERS_MAX; i++) {
		const struct master *master = &app->masters[i];

		if (master->state != MASTER_READY || master->group != GROUP_CANDIDATE)
			continue;
		workers += workers_of(master);
		*warm_set &= master->warm_set;
	}
	return workers < PRIME_MAX ? workers : PRIME_MAX;
}

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	struct app *app = container_of(helper, struct app, prime);

	(void)data;
	if (size != sizeof(struct prime_answer))
		return;
	helper_stop(helper);
	app->primed = ANSWER_YES;
}

static void on_end(struct helper *helper)
{
	container_of(helper, struct app, prime)->primed = ANSWER_YES;
}

static int start(struct app *app, const struct prime_query *query)
{
	struct supervisor *s = app->supervisor;
	struct question question = {
		.run = prime_run,
		.query = query,
		.power = POWER_PRIVATE,
		.timeout_ms = query->timeout_ms + SLACK_MS,
	};

	for (unsigned i = 0; i < query->count; i++)
		question.keep[question.keep_count++] = query->fds[i];
	return helper_start(&app->prime, &s->loop, &s->inheritance, &question);
}

void prime_begin(struct app *app)
{
	struct prime_query *query = helper_query(sizeof(*query));
	const struct app_config *config = &app->candidate->fpm.app;
	int r = 0;

	app->primed = ANSWER_YES;
	query->timeout_ms =
		config->start_timeout_ms < PRIME_MS ? config->start_timeout_ms : PRIME_MS;
	unsigned workers = look(app, &query->warm_set);
	if (config->warm[0] == '\0' || query->warm_set == 0 || workers == 0 || !app->steered)
		return;
	config_site_root(config, query->root, sizeof(query->root));
	memcpy(query->warm, config->warm, sizeof(query->warm));
	r = lanes_reach(&app->lanes[app->candidate->lanes_of[0]], app->build_lane, query->fds,
	                workers);
	if (r > 0) {
		query->count = (unsigned)r;
		r = start(app, query);
		app->primed = r < 0 ? ANSWER_YES : ANSWER_PENDING;
	}
	for (unsigned i = 0; i < query->count; i++)
		fd_close(&query->fds[i]);
	if (r < 0)
		log_write(NOTICE_WARM_UP_SKIPPED, app->config.name,
		          "cannot warm up the workers of visitors, going on without: %s",
		          strerror(-r));
}

void prime_stop(struct app *app)
{
	helper_stop(&app->prime);
}

void prime_init(struct app *app)
{
	app->prime.source.fd = FD_NONE;
	app->prime.on_answer = on_answer;
	app->prime.on_end = on_end;
}
