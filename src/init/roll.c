#include "init/roll.h"

#include <stdlib.h>
#include <string.h>

#include "init/chain.h"
#include "init/cutover.h"
#include "init/deploy.h"
#include "init/generation.h"
#include "init/lane_choice.h"
#include "init/lane_watch.h"
#include "init/master.h"
#include "init/masters.h"
#include "init/prime.h"
#include "init/publisher.h"
#include "init/report.h"
#include "init/sessions.h"
#include "init/watch.h"
#include "util/clock.h"

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
	return app->lane_late || lane_is_last(app) ? ANSWER_NO : ANSWER_PENDING;
}

/* Warm-up holds a roll up for a while, and never fails it. */
static enum answer proof_of(const struct app *app)
{
	return app->proof == ANSWER_YES && app->primed != ANSWER_YES ? ANSWER_PENDING : app->proof;
}

static struct roll_view view_of(const struct app *app)
{
	const struct app_config *config = config_of_roll(app);
	struct roll_view view = {
		.replicas = config->replicas,
		.surge = surge_of(config),
		.preflight = app->preflight_answer,
		.lane_empty = is_lane_empty(app),
		.proof = proof_of(app),
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
		text_copy_cut(
			app->why, sizeof(app->why),
			lane_is_last(app)
				? "no other lane is left, because PHP shut down their listening "
				  "sockets; restart the container"
				: "no other lane became empty within drain_timeout");
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

/* Only the log says that workers die (fpm/deaths.h). */
static void open_relay(struct app *app)
{
	struct supervisor *s = app->supervisor;

	if (!watch_wanted(app))
		return;
	int r = relay_open(&app->candidate->relay, &s->loop, &s->inheritance);
	if (r < 0)
		log_errno(r, NOTICE_DEATHS_UNSEEN, app->config.name,
		          "cannot watch whether workers die");
}

static void build(struct app *app, unsigned count)
{
	deadline_disarm(&app->supervisor->loop, &app->lane_limit);
	if (lane_prepare(app, app->build_lane) < 0) {
		text_copy_cut(app->why, sizeof(app->why), "cannot open the sockets to build on");
		rollout_cutover_failed(&app->rollout);
		return;
	}
	open_relay(app);
	for (unsigned number = 1; number <= count; number++)
		master_start(app, app->candidate, GROUP_CANDIDATE, app->build_lane, number, false);
}

void roll_fill(struct app *app)
{
	for (unsigned number = 1; number <= app->config.replicas; number++)
		if (!master_find(app, GROUP_ACTIVE, number) && !(app->stopped & 1u << (number - 1)))
			master_start(app, app->active, GROUP_ACTIVE, app->lane, number, false);
}

static void abandon(struct app *app)
{
	chain_stop(app);
	prime_stop(app);
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

static bool waits_for_roll(const struct client *client, const struct app *app)
{
	enum wire_command command = client->request.command;

	return client_waits(client) && client->awaits[app->index] != 0 &&
	       client->awaits[app->index] <= app->rolls_ended &&
	       ((command == COMMAND_RESTART && client->request.replica == 0) ||
	        command == COMMAND_DEPLOY || command == COMMAND_ROLLBACK);
}

void roll_conclude(struct app *app, enum roll_outcome outcome)
{
	app->rolls_ended = app->rolls_begun;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &app->supervisor->server.clients[i];

		if (waits_for_roll(client, app))
			client_served(client, app->index, !deploy_did(app, client, outcome));
	}
	deploy_forget(app);
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
	roll_record_end(&app->rolls, outcome, news.ms, clock_ms());
	app->last_outcome = outcome;
	if (!app->rollout.again)
		app->force = false;
	if (outcome == ROLL_DONE || outcome == ROLL_TAKEN_BACK)
		sessions_ask_anew(app); /* the settings may have changed */
	if (!deploy_roll_ended(app, outcome))
		roll_conclude(app, outcome);
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
		prime_begin(app);
		break;
	case ORDER_PUBLISH:
		publish_candidate(app);
		break;
	case ORDER_CUTOVER:
		cutover_to_candidate(app);
		break;
	case ORDER_BACK:
		cutover_back(app);
		break;
	case ORDER_DRAIN:
		drain_old(app);
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
	if (app->rollout.phase == ROLL_IDLE && cutover_from_lost_lane(app))
		roll_fill(app);
	while (!(app->rollout.phase == ROLL_IDLE && deploy_holds(app))) {
		find_lane(app);
		struct roll_view view = view_of(app);
		struct order order = rollout_next(&app->rollout, &view);

		roll_record_phase(&app->rolls, app->rollout.phase, clock_ms());
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
	deploy_cancel(app);
	rollout_cancel(&app->rollout);
	chain_stop(app);
	prime_stop(app);
	watch_end(app);
	deadline_disarm(&app->supervisor->loop, &app->lost_again);
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

/* roll_advance(), which follows, looks. */
static void on_lost_again(struct deadline *deadline)
{
	(void)deadline;
}

void roll_init(struct app *app)
{
	app->drain_long_at.on_due = on_drain_long;
	app->lane_limit.on_due = on_lane_late;
	app->lost_again.on_due = on_lost_again;
}
