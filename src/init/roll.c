#include "init/roll.h"

#include <stdlib.h>
#include <string.h>

#include "init/chain.h"
#include "init/generation.h"
#include "init/lane_watch.h"
#include "init/master.h"
#include "init/masters.h"
#include "init/publisher.h"
#include "init/report.h"
#include "init/sessions.h"
#include "init/watch.h"
#include "util/clock.h"

/* A drain that takes longer lets a roll that was asked for meanwhile begin. */
enum { DRAIN_LONG_MS = 1000 };

/* A roll goes by the configuration that it brings. */
static const struct app_config *config_of_roll(const struct app *app)
{
	return app->candidate && app->preflight_answer == ANSWER_YES ? &app->candidate->fpm.app
	                                                             : &app->config;
}

static unsigned surge_of(const struct app_config *config)
{
	return config->surge == SURGE_DEFAULT ? config->replicas : config->surge;
}

static enum answer is_lane_empty(const struct app *app)
{
	if (app->build_lane < LANE_COUNT)
		return ANSWER_YES;
	return app->lane_late ? ANSWER_NO : ANSWER_PENDING;
}

static struct roll_view view_of(const struct app *app)
{
	const struct app_config *config = config_of_roll(app);
	struct roll_view view = {
		.replicas = config->replicas,
		.surge = surge_of(config),
		.preflight = app->preflight_answer,
		.lane_empty = is_lane_empty(app),
		.proof = app->proof,
		.published = app->published,
		.lingers = app->watch.lingers,
		.condemned = app->watch.condemned,
		.drain_long = app->drain_long,
	};

	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (app->masters[i].state != MASTER_GONE && !app->masters[i].rescue)
			view.masters[app->masters[i].group][app->masters[i].state]++;
	return view;
}

/* --- orders --- */

static void begin(struct app *app)
{
	app->rolls_begun++;
	app->roll_began_ms = clock_ms();
	app->cut = 0;
	app->published = ANSWER_PENDING;
	app->why[0] = '\0';
	generation_begin(app);
}

static void clear_lane(struct app *app)
{
	struct news news = news_of(app, NEWS_ROLL_STARTED);

	text_copy_cut(news.previous, sizeof(news.previous), app->active->release.name);
	text_copy_cut(news.release, sizeof(news.release), app->candidate->release.name);
	report(app->supervisor, &news);
	app->lane_late = false;
	deadline_arm(&app->supervisor->loop, &app->lane_limit, app->config.drain_timeout_ms);
}

static void on_lane_late(struct deadline *deadline)
{
	container_of(deadline, struct app, lane_limit)->lane_late = true;
}

/* The reason of a roll that ends because of its lane. */
static void explain_lane(struct app *app)
{
	if (app->why[0] == '\0' && is_lane_empty(app) == ANSWER_NO)
		text_copy_cut(app->why, sizeof(app->why),
		              "no other lane became empty within drain_timeout");
}

static void make_room(struct app *app)
{
	/* The one that leaves may take drain_timeout, and then the lane is looked at again. */
	deadline_arm(&app->supervisor->loop, &app->lane_limit, 2 * app->config.drain_timeout_ms);
	for (unsigned number = REPLICAS_MAX; number > 0; number--) {
		struct master *master = master_find(app, GROUP_ACTIVE, number);

		if (master && master->state == MASTER_READY) {
			master_deliver(master, EVENT_STOP);
			return;
		}
	}
}

static int prepare_lanes(struct app *app)
{
	lane_unwatch(app, app->build_lane);
	for (unsigned i = 0; app->steered && i < app->lanes_count; i++) {
		int r = lanes_prepare(&app->lanes[i], app->build_lane);

		if (r < 0)
			return log_errno(r, "%s: cannot prepare lane %c", app->config.name,
			                 lane_letter(app->build_lane));
	}
	return 0;
}

/* Only the log says that workers die (fpm/deaths.h). */
static void open_relay(struct app *app)
{
	struct supervisor *s = app->supervisor;

	if (!watch_wanted(app))
		return;
	int r = relay_open(&app->candidate->relay, &s->loop, &s->inheritance);
	if (r < 0)
		log_errno(r, "%s: cannot watch whether workers die", app->config.name);
}

static void build(struct app *app, unsigned count)
{
	deadline_disarm(&app->supervisor->loop, &app->lane_limit);
	if (prepare_lanes(app) < 0) {
		text_copy_cut(app->why, sizeof(app->why), "cannot open the sockets to build on");
		rollout_cutover_failed(&app->rollout);
		return;
	}
	open_relay(app);
	for (unsigned number = 1; number <= count; number++)
		master_start(app, app->candidate, GROUP_CANDIDATE, app->build_lane, number, false);
}

static int keep_way_back(struct app *app)
{
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < app->lanes_count; i++)
		r = lanes_keep(&app->lanes[i]);
	return r;
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

static void cut_over(struct app *app)
{
	struct generation *old = app->active;
	unsigned old_lane = app->lane, lane = app->build_lane;
	bool lingers = watch_wanted(app);
	int r = 0;

	if (lingers)
		r = keep_way_back(app);
	if (r >= 0)
		r = steer(app, lane);
	if (r < 0) {
		report_text(app, NEWS_REPLICA_FAILED, "cannot move the connections to it: %s",
		            strerror(-r));
		rollout_cutover_failed(&app->rollout);
		return;
	}
	app->lane = lane;
	app->active = app->candidate;
	app->config = app->active->fpm.app;
	app->candidate = NULL;
	change_guard(app, GROUP_CANDIDATE, app->active);
	say_cutover(app);
	if (lingers)
		watch_begin(app, old, old_lane);
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

static void go_back(struct app *app)
{
	struct news news = news_of(app, NEWS_BACK);
	struct generation *back = app->watch.back;
	unsigned bad_lane = app->lane;
	int r = steer(app, app->watch.back_lane);

	explain_return(app);
	if (r < 0) {
		log_errno(r, "%s: cannot move the connections back (%s)", app->config.name,
		          app->why);
		rollout_return_failed(&app->rollout);
		return;
	}
	text_copy_cut(news.previous, sizeof(news.previous), app->active->release.name);
	text_copy_cut(news.release, sizeof(news.release), back->release.name);
	text_copy_cut(news.text, sizeof(news.text), app->why);
	app->lane = app->watch.back_lane;
	app->active = back;
	app->config = back->fpm.app;
	change_guard(app, GROUP_OLD, back);
	watch_end(app);
	report(app->supervisor, &news);
	for (unsigned i = 0; i < app->lanes_count; i++)
		lanes_forget(&app->lanes[i], bad_lane);
	publish_active(app);
}

static void drain(struct app *app)
{
	app->drain_long = false;
	deadline_arm(&app->supervisor->loop, &app->drain_long_at, DRAIN_LONG_MS);
	if (app->watch.back)
		for (unsigned i = 0; i < app->lanes_count; i++)
			lanes_forget(&app->lanes[i], app->watch.back_lane);
	watch_end(app);
	for (size_t i = 0; i < MASTERS_MAX; i++) {
		struct master *master = &app->masters[i];

		if (master->state != MASTER_GONE && !master->rescue && master->group == GROUP_OLD)
			retire(master, app->steered);
	}
}

void roll_fill(struct app *app)
{
	for (unsigned number = 1; number <= app->config.replicas; number++)
		if (!master_find(app, GROUP_ACTIVE, number))
			master_start(app, app->active, GROUP_ACTIVE, app->lane, number, false);
}

static void abandon(struct app *app)
{
	chain_stop(app);
	/* What was published for them, or is about to be, is taken back, too. */
	if (app->published == ANSWER_YES || app->publishing == app->candidate)
		publish_active(app);
	explain_lane(app);
	for (size_t i = 0; i < MASTERS_MAX; i++) {
		struct master *master = &app->masters[i];

		if (master->state == MASTER_GONE || master->group != GROUP_CANDIDATE)
			continue;
		/* One that is still starting has not failed, though its trial may have by now. */
		if (app->why[0] == '\0' && master->why[0] != '\0' &&
		    master->state != MASTER_STARTING) {
			struct text why = TEXT(app->why);

			text_add(&why, "replica %u %s", master->number, master->why);
		}
		master_deliver(master, EVENT_STOP);
	}
}

/* --- the end --- */

static void answer_client(struct app *app, struct client *client, bool worked)
{
	if (client->source.fd < 0 || !client->asked || client->request.command != COMMAND_RESTART ||
	    client->awaits[app->index] == 0 || client->awaits[app->index] > app->rolls_ended)
		return;
	client->awaits[app->index] = 0;
	if (!worked)
		client->exit_status = EXIT_FAILURE;
	for (size_t i = 0; i < APPS_MAX; i++)
		if (client->awaits[i] != 0)
			return;
	server_end(client, client->exit_status, "%s", "");
}

static void finish(struct app *app, enum roll_outcome outcome)
{
	static const enum news_kind kinds[] = {
		[ROLL_NONE] = NEWS_ROLL_FAILED,           [ROLL_DONE] = NEWS_ROLL_DONE,
		[ROLL_REFUSED] = NEWS_ROLL_REFUSED,       [ROLL_FAILED] = NEWS_ROLL_FAILED,
		[ROLL_TAKEN_BACK] = NEWS_ROLL_TAKEN_BACK,
	};
	struct news news = news_of(app, kinds[outcome]);

	if (outcome == ROLL_REFUSED)
		explain_lane(app);
	deadline_disarm(&app->supervisor->loop, &app->lane_limit);
	deadline_disarm(&app->supervisor->loop, &app->drain_long_at);
	generation_forget_candidate(app);
	text_copy_cut(news.release, sizeof(news.release), app->active->release.name);
	text_copy_cut(news.text, sizeof(news.text), app->why);
	news.count = app->config.replicas;
	news.ms = (uint32_t)(clock_ms() - app->roll_began_ms);
	news.cut = app->cut;
	report(app->supervisor, &news);
	app->last_outcome = outcome;
	if (!app->rollout.again)
		app->force = false;
	app->rolls_ended = app->rolls_begun;
	if (outcome == ROLL_DONE)
		sessions_ask_anew(app); /* the settings may have changed */
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		answer_client(app, &app->supervisor->server.clients[i], outcome == ROLL_DONE);
}

static void carry_out(struct app *app, struct order order)
{
	switch (order.kind) {
	case ORDER_PREFLIGHT:
		begin(app);
		break;
	case ORDER_CLEAR:
		clear_lane(app);
		break;
	case ORDER_ROOM:
		make_room(app);
		break;
	case ORDER_BUILD:
		build(app, order.count);
		break;
	case ORDER_PROVE:
		chain_ask(app, GROUP_CANDIDATE);
		break;
	case ORDER_PUBLISH:
		publish_candidate(app);
		break;
	case ORDER_CUTOVER:
		cut_over(app);
		break;
	case ORDER_BACK:
		go_back(app);
		break;
	case ORDER_DRAIN:
		drain(app);
		break;
	case ORDER_FILL:
		roll_fill(app);
		break;
	case ORDER_ABANDON:
		abandon(app);
		break;
	case ORDER_FINISH:
		finish(app, order.outcome);
		break;
	case ORDER_NONE:
		break;
	}
}

/* As long as the roll looks for a lane it takes any that is free at that moment. */
static void find_lane(struct app *app)
{
	if (app->rollout.phase != ROLL_LANE && app->rollout.phase != ROLL_ROOM)
		return;
	app->build_lane = lane_pick(app);
	/* A rescue master that keeps dying must not keep its release from being replaced. */
	if (app->build_lane == LANE_COUNT && app->lane_late)
		app->build_lane = lane_give_up_rescue(app);
}

void roll_advance(struct app *app)
{
	watch_advance(app);
	for (;;) {
		find_lane(app);
		struct roll_view view = view_of(app);
		struct order order = rollout_next(&app->rollout, &view);

		if (order.kind == ORDER_NONE)
			break;
		carry_out(app, order);
	}
	generation_collect(app);
}

void roll_request(struct app *app)
{
	/* During the boot too: it may have looked at the release before it was moved. */
	if ((app->rollout.phase != ROLL_IDLE || app->supervisor->boot != BOOT_DONE) &&
	    !app->rollout.again) {
		struct news news = news_of(app, NEWS_ROLL_REMEMBERED);

		report(app->supervisor, &news);
	}
	rollout_request(&app->rollout);
}

void roll_force(struct app *app)
{
	app->force = true;
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (app->masters[i].state == MASTER_DRAINING && !app->masters[i].rescue)
			master_deliver(&app->masters[i], EVENT_DEADLINE);
}

uint32_t roll_next_number(const struct app *app)
{
	return app->rolls_begun + 1;
}

void roll_cancel(struct app *app)
{
	rollout_cancel(&app->rollout);
	chain_stop(app);
	watch_end(app);
	deadline_disarm(&app->supervisor->loop, &app->lane_limit);
	deadline_disarm(&app->supervisor->loop, &app->drain_long_at);
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (app->masters[i].state != MASTER_GONE &&
		    app->masters[i].group == GROUP_CANDIDATE)
			master_deliver(&app->masters[i], EVENT_STOP);
	generation_forget_candidate(app);
}

static void on_drain_long(struct deadline *deadline)
{
	container_of(deadline, struct app, drain_long_at)->drain_long = true;
}

void roll_init(struct app *app)
{
	app->drain_long_at.on_due = on_drain_long;
	app->lane_limit.on_due = on_lane_late;
}
