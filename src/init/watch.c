#include "init/watch.h"

#include <string.h>

#include "init/launch.h"
#include "init/masters.h"
#include "init/report.h"
#include "question/vigil.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum {
	EVERY_MS = 1000,
	PATIENCE_MS = 5000,
	AGAIN_MS = 1000,
	DEATHS_MAX = 3, /* of workers: one may have died of its own page */
};

/* Where lanes are shared, or the old ones leave to make room, there is nothing to go back to. */
bool watch_wanted(const struct app *app)
{
	const struct app_config *config = &app->candidate->fpm.app;

	return config->linger_ms > 0 && app->steered &&
	       (config->surge == SURGE_DEFAULT || config->surge >= config->replicas);
}

void watch_condemn(struct app *app, const char *why)
{
	if (app->watch.condemned)
		return;
	app->watch.condemned = true;
	text_copy_cut(app->why, sizeof(app->why), why);
}

/* --- health --- */

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	struct app *app = container_of(helper, struct app, watch.vigil);
	const struct vigil_answer *answer = data;
	char why[sizeof(answer->why)];

	if (size != sizeof(*answer))
		return;
	memcpy(why, answer->why, sizeof(why));
	why[sizeof(why) - 1] = '\0';
	helper_stop(helper);
	watch_condemn(app, why);
}

static void on_end(struct helper *helper)
{
	struct app *app = container_of(helper, struct app, watch.vigil);

	log_write(NOTICE_HELPER_DIED, app->config.name,
	          "the helper that watches its health died, starting another");
	deadline_arm(&app->supervisor->loop, &app->watch.again, AGAIN_MS);
}

static struct vigil_query query_of(struct app *app)
{
	struct vigil_query query = {
		.private_fd = app->supervisor->run.private_fd,
		.every_ms = EVERY_MS,
		.patience_ms = app->config.start_timeout_ms < PATIENCE_MS
		                       ? app->config.start_timeout_ms
		                       : PATIENCE_MS,
	};

	config_site_root(&app->config, query.root, sizeof(query.root));
	memcpy(query.health, app->config.health, sizeof(query.health));
	for (unsigned number = 1; number <= app->config.replicas; number++) {
		const struct master *master = master_find(app, GROUP_ACTIVE, number);

		if (!master)
			continue;
		query.numbers[query.count] = number;
		launch_private_name(master, 0, PRIVATE_PAGES, query.sockets[query.count++]);
	}
	return query;
}

static void keep_vigil(struct app *app)
{
	struct supervisor *s = app->supervisor;
	const struct vigil_query query = query_of(app);
	const struct question question = {
		.run = vigil_run,
		.query = &query,
		.power = POWER_PRIVATE,
		.keep = { query.private_fd },
		.keep_count = 1,
	};

	app->watch.vigil.on_answer = on_answer;
	app->watch.vigil.on_end = on_end;
	int r = helper_start(&app->watch.vigil, &s->loop, &s->inheritance, &question);
	if (r < 0) {
		log_errno(r, NOTICE_HELPER_FAILED, app->config.name,
		          "cannot watch its health, trying again");
		deadline_arm(&s->loop, &app->watch.again, AGAIN_MS);
	}
}

static void on_again(struct deadline *deadline)
{
	keep_vigil(container_of(deadline, struct app, watch.again));
}

/* --- from the cutover to the end --- */

void watch_begin(struct app *app, struct generation *old, unsigned lane)
{
	struct news news = news_of(app, NEWS_WATCHING);

	app->watch.lingers = true;
	app->watch.condemned = false;
	app->watch.back = old;
	app->watch.back_lane = lane;
	app->watch.deaths_before = app->active->relay.deaths;
	deadline_arm(&app->supervisor->loop, &app->watch.over, app->config.linger_ms);
	if (app->config.health[0] != '\0')
		keep_vigil(app);
	text_copy_cut(news.release, sizeof(news.release), app->active->release.name);
	news.ms = app->config.linger_ms;
	report(app->supervisor, &news);
}

void watch_advance(struct app *app)
{
	unsigned deaths;
	char why[128];
	struct text text = TEXT(why);

	if (!app->watch.lingers)
		return;
	deaths = app->active->relay.deaths - app->watch.deaths_before;
	if (deaths < DEATHS_MAX)
		return;
	text_add(&text, "%u workers died, see FPM's lines in the log", deaths);
	watch_condemn(app, why);
}

uint64_t watch_left_ms(const struct app *app)
{
	uint64_t now = clock_ms();

	return app->watch.lingers && app->watch.over.at_ms > now ? app->watch.over.at_ms - now : 0;
}

void watch_end(struct app *app)
{
	app->watch.lingers = false;
	app->watch.back = NULL;
	deadline_disarm(&app->supervisor->loop, &app->watch.over);
	deadline_disarm(&app->supervisor->loop, &app->watch.again);
	helper_stop(&app->watch.vigil);
}

static void on_over(struct deadline *deadline)
{
	container_of(deadline, struct app, watch.over)->watch.lingers = false;
}

void watch_init(struct app *app)
{
	app->watch.vigil.source.fd = FD_NONE;
	app->watch.over.on_due = on_over;
	app->watch.again.on_due = on_again;
}
