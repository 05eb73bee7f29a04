#include "init/picture.h"

#include <string.h>
#include <unistd.h>

#include "init/lane_choice.h"
#include "init/sessions.h"
#include "init/watch.h"
#include "util/clock.h"

static unsigned ready_count(const struct app *app)
{
	unsigned n = 0;

	for (size_t i = 0; i < MASTERS_MAX; i++)
		n += app->masters[i].state == MASTER_READY && app->masters[i].group == GROUP_ACTIVE;
	return n;
}

/* --- container --- */

enum container_phase picture_phase(const struct supervisor *s)
{
	if (s->stop != STOP_NONE)
		return CONTAINER_STOPPING;
	return s->boot == BOOT_DONE ? CONTAINER_RUNNING : CONTAINER_BOOTING;
}

static void doubt(struct wire_container *c, const struct app *app, bool fatal, const char *why)
{
	if (fatal)
		c->healthy = false;
	else
		c->degraded = true;
	/* The first cause is the one to look at. */
	if (c->why[0] == '\0' || (fatal && c->degraded)) {
		struct text text = TEXT(c->why);

		text_add(&text, "%s: %s", app->config.name, why);
	}
}

static void doubt_publisher(struct wire_container *c, const struct app *app)
{
	char why[256];
	struct text text = TEXT(why);

	text_add(&text, "static files are not published: %s", app->publish_why);
	doubt(c, app, false, why);
}

static void judge_app(struct wire_container *c, const struct app *app)
{
	enum fail_health fail = app->supervisor->config->sessions.fail_health;
	unsigned ready = ready_count(app);

	if (ready == 0)
		doubt(c, app, true,
		      app->stopped ? "its replicas were stopped, see twinit start"
		                   : "no replica serves");
	else if (ready < app->config.replicas &&
	         (app->rollout.phase == ROLL_IDLE || app->rollout.phase == ROLL_WATCH))
		doubt(c, app, false,
		      app->stopped ? "a replica was stopped, see twinit start"
		                   : "not all replicas serve");
	if (lane_lost(app, app->lane))
		doubt(c, app, true, "PHP shut down its listening socket, restart the container");
	else if (lane_is_last(app))
		doubt(c, app, false,
		      "no roll is possible, because PHP shut down the listening sockets of all "
		      "other lanes; restart the container");
	if (app->publish_why[0] != '\0')
		doubt_publisher(c, app);
	if (!sessions_well(app))
		doubt(c, app, fail == FAIL_HEALTH_ALWAYS, app->store.reason);
}

static void judge(struct wire_container *c, const struct supervisor *s)
{
	static const char *const words[] = {
		[CONTAINER_BOOTING] = "starting",
		[CONTAINER_STOPPING] = "stopping",
	};

	c->phase = picture_phase(s);
	if (c->phase != CONTAINER_RUNNING) {
		text_copy_cut(c->why, sizeof(c->why), words[c->phase]);
		return;
	}
	c->healthy = true;
	for (size_t i = 0; i < s->app_count; i++)
		judge_app(c, &s->apps[i]);
}

void picture_send_container(const struct supervisor *s, struct client *client)
{
	struct wire_reply reply = {
		.kind = WIRE_CONTAINER,
		.container = {
			.version = TWINIT_VERSION,
			.pid = (uint32_t)getpid(),
			.uptime_ms = clock_ms() - s->started_ms,
			.reaped = s->reaped,
		},
	};

	judge(&reply.container, s);
	server_send(client, &reply);
}

/* --- apps --- */

static bool is_healthy(const struct app *app)
{
	struct wire_container judged = { .healthy = true };

	if (picture_phase(app->supervisor) != CONTAINER_RUNNING)
		return false;
	judge_app(&judged, app);
	return judged.healthy;
}

static void fill_rolls(struct wire_app *to, const struct app *app)
{
	const struct roll_record *rolls = &app->rolls;

	memcpy(to->rolls_by, rolls->ended, sizeof(to->rolls_by));
	memcpy(to->last_steps_ms, rolls->last_ms, sizeof(to->last_steps_ms));
	to->last_roll_ms = rolls->last_took_ms;
	if (rolls->last_end_ms)
		to->last_roll_ago_ms = clock_ms() - rolls->last_end_ms;
}

static void fill_release(struct wire_app *to, const struct app *app)
{
	const struct generation *g = app->active;

	if (!g)
		return;
	text_copy_cut(to->release, sizeof(to->release), g->release.name);
	text_copy_cut(to->release_path, sizeof(to->release_path), g->release.path);
	text_copy_cut(to->address, sizeof(to->address), g->fpm.settings.pools[0].listen);
}

static void fill_drain(struct wire_app *to, const struct app *app)
{
	for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
		const struct lane_watch *watch = &app->watches[lane];

		if (!helper_running(&watch->drain) || watch->seen.busy == 0)
			continue;
		to->busy += watch->seen.busy;
		to->busy_pid = watch->seen.busy_pid;
		text_copy_cut(to->busy_state, sizeof(to->busy_state),
		              worker_state_name(watch->seen.busy_state));
	}
}

static void send_app_itself(const struct app *app, struct client *client)
{
	struct wire_reply reply = {
		.kind = WIRE_APP,
		.app = {
			.replicas = app->config.replicas,
			.ready = ready_count(app),
			.stopped = app->stopped,
			.linger_ms = watch_left_ms(app),
			.lane = app->lane,
			.phase = app->rollout.phase,
			.outcome = app->last_outcome,
			.rolls = app->rolls_ended,
			.crashes = app->crashes,
			.healthy = is_healthy(app),
			.gated = app->steered,
			.addresses = app->lanes_count,
		},
	};

	memcpy(reply.app.name, app->config.name, sizeof(reply.app.name));
	text_copy_cut(reply.app.isolation, sizeof(reply.app.isolation), pin_name(app->pin));
	if (app->last_outcome != ROLL_DONE)
		text_copy_cut(reply.app.outcome_text, sizeof(reply.app.outcome_text), app->why);
	text_copy_cut(reply.app.publish_text, sizeof(reply.app.publish_text), app->publish_why);
	text_copy_cut(reply.app.previous, sizeof(reply.app.previous), app->previous);
	fill_rolls(&reply.app, app);
	fill_release(&reply.app, app);
	fill_drain(&reply.app, app);
	server_send(client, &reply);
}

static void send_replica(const struct master *master, struct client *client)
{
	struct wire_reply reply = {
		.kind = WIRE_REPLICA,
		.replica = {
			.number = master->number,
			.rescue = master->rescue,
			.group = master->group,
			.state = master->state,
			.lane = master->lane,
			.pid = (uint32_t)master->child.pid,
			.starts = master->starts,
			.failures = master->failures,
			.age_ms = clock_ms() - master->spawned_ms,
			.app_index = (uint32_t)master->app->index,
			.serial = master->serial,
			.generation = master->generation->number,
		},
	};

	memcpy(reply.replica.app, master->app->config.name, sizeof(reply.replica.app));
	text_copy_cut(reply.replica.release, sizeof(reply.replica.release),
	              master->generation->release.name);
	text_copy_cut(reply.replica.failure, sizeof(reply.replica.failure), master->failure);
	server_send(client, &reply);
}

static void send_replicas(const struct app *app, struct client *client)
{
	for (unsigned group = 0; group < GROUP_COUNT; group++)
		for (unsigned number = 1; number <= REPLICAS_MAX; number++)
			for (size_t i = 0; i < MASTERS_MAX; i++) {
				const struct master *master = &app->masters[i];

				if (master->state != MASTER_GONE && master->group == group &&
				    master->number == number)
					send_replica(master, client);
			}
}

static bool is_in_use(const struct app *app, const struct generation *generation)
{
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (app->masters[i].state != MASTER_GONE &&
		    app->masters[i].generation == generation)
			return true;
	return false;
}

static void send_pools_of(const struct app *app, const struct generation *generation,
                          struct client *client)
{
	const struct fpm_settings *settings = &generation->fpm.settings;

	for (unsigned i = 0; i < settings->pool_count; i++) {
		struct wire_reply reply = {
			.kind = WIRE_POOL,
			.pool = { .generation = generation->number, .number = i },
		};

		memcpy(reply.pool.app, app->config.name, sizeof(reply.pool.app));
		memcpy(reply.pool.name, settings->pools[i].name, sizeof(reply.pool.name));
		memcpy(reply.pool.path, settings->pools[i].status_path, sizeof(reply.pool.path));
		server_send(client, &reply);
	}
}

static void send_pools(const struct app *app, struct client *client)
{
	for (size_t i = 0; i < GENERATIONS_MAX; i++)
		if (is_in_use(app, &app->generations[i]))
			send_pools_of(app, &app->generations[i], client);
}

void picture_send_sessions(const struct app *app, struct client *client)
{
	struct wire_reply reply = {
		.kind = WIRE_SESSIONS,
		.sessions = {
			.state = sessions_wanted(app) ? app->store.state : STORE_NOT_ASKED,
			.required = !sessions_well(app),
			.stores = app->store.stores,
			.members = app->store.members,
			.latency_us = app->store.latency_us,
			.age_ms = app->store_at_ms ? clock_ms() - app->store_at_ms : 0,
		},
	};
	struct wire_sessions *to = &reply.sessions;

	memcpy(to->app, app->config.name, sizeof(to->app));
	text_copy_cut(to->where, sizeof(to->where), app->store.where);
	text_copy_cut(to->reason, sizeof(to->reason), app->store.reason);
	text_copy_cut(to->warning, sizeof(to->warning), app->store.warning);
	server_send_with_fd(client, &reply, app->findings);
}

void picture_send_app(const struct app *app, struct client *client)
{
	send_app_itself(app, client);
	send_replicas(app, client);
	if (client->request.pools)
		send_pools(app, client);
	picture_send_sessions(app, client);
}
