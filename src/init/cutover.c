#include "init/cutover.h"

#include <string.h>

#include "init/lane_choice.h"
#include "init/lane_watch.h"
#include "init/master.h"
#include "init/publisher.h"
#include "init/report.h"
#include "init/watch.h"
#include "rollout/backoff.h"

enum {
	DRAIN_LONG_MS = 1000, /* one that takes longer lets a roll that was asked for begin */
};

static int keep_way_back(struct app *app)
{
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < app->lanes_count; i++)
		r = lanes_keep(&app->lanes[i]);
	return r;
}

static void forget_way_back(struct app *app, unsigned lane)
{
	for (unsigned i = 0; i < app->lanes_count; i++)
		lanes_forget(&app->lanes[i], lane);
}

/* All addresses move, or none does. */
static int steer(struct app *app, unsigned lane)
{
	for (unsigned i = 0; i < app->lanes_count; i++) {
		int r = lanes_cutover(&app->lanes[i], lane);

		if (r < 0) {
			while (i-- > 0)
				(void)!lanes_cutover(&app->lanes[i], app->lane);
			return r;
		}
	}
	return 0;
}

static void retire(struct master *master, bool steered)
{
	/* On a shared lane new connections still come to it, so it would never be idle. */
	master_deliver(master, steered ? EVENT_DRAIN : EVENT_STOP);
}

/* The active masters become old ones, and those of @from the active ones. */
static void change_guard(struct app *app, enum group from, const struct generation *generation)
{
	for (size_t i = 0; i < MASTERS_MAX; i++) {
		struct master *master = &app->masters[i];

		if (master->state == MASTER_GONE || master->rescue)
			continue;
		if (master->group == GROUP_ACTIVE)
			master->group = GROUP_OLD;
		else if (master->group == from && master->generation == generation)
			master->group = GROUP_ACTIVE;
	}
}

static void say_cutover(struct app *app)
{
	struct news news = news_of(app, NEWS_CUTOVER);

	text_copy_cut(news.release, sizeof(news.release), app->active->release.name);
	report(app->supervisor, &news);
}

void cutover_to_candidate(struct app *app)
{
	struct generation *old = app->active;
	unsigned old_lane = app->lane, lane = app->build_lane;
	bool lingers = watch_wanted(app);
	int r = 0;

	/* Of several addresses the second may fail, and then the first has to go back. */
	if (lingers || app->lanes_count > 1)
		r = keep_way_back(app);
	if (r < 0 && lingers) {
		log_errno(r, NOTICE_LINGER_SKIPPED, app->config.name,
		          "cannot keep a way back, rolling without linger");
		lingers = false;
	}
	r = steer(app, lane);
	if (r < 0) {
		struct text why = TEXT(app->why);

		text_add(&why, "cannot move the connections to the new masters: %s", strerror(-r));
		rollout_cutover_failed(&app->rollout);
		return;
	}
	app->lane = lane;
	if (strcmp(app->candidate->release.path, old->release.path) != 0)
		text_copy_cut(app->previous, sizeof(app->previous), old->release.path);
	app->stopped = app->leaving = app->restarting = 0;
	app->active = app->candidate;
	app->config = app->active->fpm.app;
	app->candidate = NULL;
	change_guard(app, GROUP_CANDIDATE, app->active);
	say_cutover(app);
	if (lingers)
		watch_begin(app, old, old_lane);
	else
		forget_way_back(app, old_lane);
}

static bool move_to(struct app *app, unsigned lane)
{
	int r = lane_prepare(app, lane);

	if (r < 0)
		return false;
	r = steer(app, lane);
	if (r < 0)
		log_errno(r, NOTICE_CUTOVER_FAILED, app->config.name, "cannot move to lane %c",
		          lane_letter(lane));
	return r >= 0;
}

bool cutover_from_lost_lane(struct app *app)
{
	if (!lane_lost(app, app->lane) || app->lost_again.at_ms != 0)
		return false;
	unsigned lane = lane_refuge(app);
	if (lane == LANE_COUNT)
		return false;
	/* Nobody can connect, and perhaps nothing else happens that would make us look. */
	if (!move_to(app, lane)) {
		deadline_arm(&app->supervisor->loop, &app->lost_again,
		             backoff_ms(++app->lost_tries));
		return false;
	}
	app->lane = lane;
	app->lost_tries = 0;
	for (size_t i = 0; i < MASTERS_MAX; i++) {
		struct master *master = &app->masters[i];

		if (master->state == MASTER_GONE || master->rescue || master->group != GROUP_ACTIVE)
			continue;
		master->group = GROUP_OLD;
		retire(master, true);
	}
	return true;
}

/* Why, when no one has said it: an active master is not there any more. */
static void explain_return(struct app *app)
{
	for (size_t i = 0; app->why[0] == '\0' && i < MASTERS_MAX; i++) {
		const struct master *master = &app->masters[i];
		struct text why = TEXT(app->why);

		if (master->state != MASTER_GONE && master->state != MASTER_READY &&
		    master->group == GROUP_ACTIVE)
			text_add(&why, "replica %u %s", master->number, master->why);
	}
}

void cutover_back(struct app *app)
{
	struct news news = news_of(app, NEWS_BACK);
	struct generation *back = app->watch.back;
	unsigned bad_lane = app->lane;
	int r = steer(app, app->watch.back_lane);

	explain_return(app);
	if (r < 0) {
		log_errno(r, NOTICE_BACK_FAILED, app->config.name,
		          "cannot move the connections back (%s)", app->why);
		rollout_return_failed(&app->rollout);
		return;
	}
	text_copy_cut(news.previous, sizeof(news.previous), app->active->release.name);
	text_copy_cut(news.release, sizeof(news.release), back->release.name);
	text_copy_cut(news.text, sizeof(news.text), app->why);
	app->lane = app->watch.back_lane;
	app->previous[0] = '\0'; /* what was there before that is not known any more */
	app->active = back;
	app->config = back->fpm.app;
	change_guard(app, GROUP_OLD, back);
	watch_end(app);
	report(app->supervisor, &news);
	forget_way_back(app, bad_lane);
	publish_active(app);
}

void drain_old(struct app *app)
{
	app->drain_long = false;
	deadline_arm(&app->supervisor->loop, &app->drain_long_at, DRAIN_LONG_MS);
	if (app->watch.back)
		forget_way_back(app, app->watch.back_lane);
	watch_end(app);
	for (size_t i = 0; i < MASTERS_MAX; i++) {
		struct master *master = &app->masters[i];

		if (master->state != MASTER_GONE && !master->rescue && master->group == GROUP_OLD)
			retire(master, app->steered);
	}
}
