#include "init/answers.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/chain.h"
#include "init/deploy.h"
#include "init/lane_choice.h"
#include "init/replicas.h"
#include "init/roll.h"
#include "init/sessions.h"
#include "init/shutdown.h"
#include "init/watch.h"
#include "util/clock.h"

static bool named(const struct client *client, const struct app *app)
{
	return client->request.app[0] == '\0' || strcmp(client->request.app, app->config.name) == 0;
}

static unsigned ready_count(const struct app *app)
{
	unsigned n = 0;

	for (size_t i = 0; i < MASTERS_MAX; i++)
		n += app->masters[i].state == MASTER_READY && app->masters[i].group == GROUP_ACTIVE;
	return n;
}

/* --- container --- */

static enum container_phase phase_of(const struct supervisor *s)
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

	c->phase = phase_of(s);
	if (c->phase != CONTAINER_RUNNING) {
		text_copy_cut(c->why, sizeof(c->why), words[c->phase]);
		return;
	}
	c->healthy = true;
	for (size_t i = 0; i < s->app_count; i++)
		judge_app(c, &s->apps[i]);
}

static void send_container(const struct supervisor *s, struct client *client)
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

static void send_app(const struct app *app, struct client *client)
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

static void send_sessions(const struct app *app, struct client *client)
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

/* --- commands --- */

static void answer_status(struct supervisor *s, struct client *client)
{
	send_container(s, client);
	for (size_t i = 0; i < s->app_count; i++) {
		if (!named(client, &s->apps[i]))
			continue;
		send_app(&s->apps[i], client);
		send_replicas(&s->apps[i], client);
		send_sessions(&s->apps[i], client);
	}
	server_end(client, EXIT_SUCCESS, "%s", "");
}

/* False, and @client has been told, while there is nothing to give orders to. */
static bool runs(const struct supervisor *s, struct client *client)
{
	if (phase_of(s) == CONTAINER_RUNNING)
		return true;
	server_end(client, EXIT_FAILURE, "cannot do that now: the container is %s",
	           s->stop != STOP_NONE ? "stopping" : "starting");
	return false;
}

/* The only app that @client can mean, or NULL, and it has been told. */
static struct app *the_app(struct supervisor *s, struct client *client)
{
	if (client->request.app[0] == '\0' && s->app_count > 1) {
		server_end(client, EXIT_USAGE,
		           "there are %zu apps; say which one, see twinit status", s->app_count);
		return NULL;
	}
	for (size_t i = 0; i < s->app_count; i++)
		if (named(client, &s->apps[i]))
			return &s->apps[i];
	return NULL;
}

/* --- single replicas --- */

/* Why @client's order cannot be given to @app; NULL: it can. */
static const char *replica_obstacle(struct app *app, const struct client *client)
{
	if (client->request.replica > app->config.replicas)
		return "it has no such replica, see twinit status";
	if (app->rollout.phase != ROLL_IDLE)
		return "a roll is under way, see twinit status; ask again when it is over";
	if (client->request.command != COMMAND_START && !client->request.force &&
	    replicas_last(app, client))
		return client->request.command == COMMAND_RESTART
		               ? "it is the only replica that serves; a roll (twinit restart) "
		                 "replaces "
		                 "it without a gap, --force does with one"
		               : "nobody would be left who serves it; --force stops it all the "
		                 "same";
	return NULL;
}

/* All apps, or none. */
static void answer_replicas(struct supervisor *s, struct client *client)
{
	if (!runs(s, client))
		return;
	for (size_t i = 0; i < s->app_count; i++) {
		const char *why =
			named(client, &s->apps[i]) ? replica_obstacle(&s->apps[i], client) : NULL;

		if (why) {
			server_end(client, EXIT_FAILURE, "%s: %s", s->apps[i].config.name, why);
			return;
		}
	}
	client->exit_status = EXIT_SUCCESS;
	for (size_t i = 0; i < s->app_count; i++)
		if (named(client, &s->apps[i]))
			replicas_order(&s->apps[i], client);
}

/* --- rolls --- */

static void answer_deploy(struct supervisor *s, struct client *client)
{
	struct app *app = runs(s, client) ? the_app(s, client) : NULL;

	client->exit_status = EXIT_SUCCESS;
	if (app)
		deploy_begin(app, client->request.directory, client);
}

static void answer_rollback(struct supervisor *s, struct client *client)
{
	struct app *app = runs(s, client) ? the_app(s, client) : NULL;

	client->exit_status = EXIT_SUCCESS;
	if (app)
		deploy_rollback(app, client);
}

static void answer_restart(struct supervisor *s, struct client *client)
{
	if (client->request.replica != 0) {
		answer_replicas(s, client);
		return;
	}
	if (!runs(s, client))
		return;
	client->exit_status = EXIT_SUCCESS;
	for (size_t i = 0; i < s->app_count; i++) {
		if (!named(client, &s->apps[i]))
			continue;
		client->awaits[i] = roll_next_number(&s->apps[i]);
		roll_request(&s->apps[i]);
		if (client->request.force)
			roll_force(&s->apps[i]);
	}
	if (client->request.no_wait)
		server_end(client, EXIT_SUCCESS, "asked for; twinit status shows how it goes");
}

static void answer_stop(struct supervisor *s, struct client *client)
{
	if (client->request.all || client->request.app[0] != '\0' || client->request.replica != 0) {
		answer_replicas(s, client);
		return;
	}
	server_end(client, EXIT_SUCCESS, "stopping");
	shutdown_begin(s, EXIT_STOPPED, true);
}

static void answer_sessions(struct supervisor *s, struct client *client)
{
	if (s->boot < BOOT_SESSIONS) {
		server_end(client, EXIT_FAILURE,
		           "cannot ask now: the container is starting, and where its sessions are "
		           "is still being read");
		return;
	}
	/* awaits[] counts here what is still to be asked. */
	for (size_t i = 0; i < s->app_count; i++)
		if (named(client, &s->apps[i]))
			client->awaits[i] = 1;
	for (size_t i = 0; i < s->app_count; i++)
		if (named(client, &s->apps[i]))
			sessions_ask(&s->apps[i]);
}

static bool is_waiting(const struct client *client, const struct app *app)
{
	return client_waits(client) && client->request.command == COMMAND_SESSIONS &&
	       client->awaits[app->index] != 0;
}

void answers_store_asked(struct app *app)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (is_waiting(&app->supervisor->server.clients[i], app)) {
			chain_look(app);
			return;
		}
}

void answers_sessions_asked(struct app *app)
{
	struct server *server = &app->supervisor->server;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &server->clients[i];

		if (!is_waiting(client, app))
			continue;
		send_sessions(app, client);
		client_served(client, app->index,
		              app->store.state == STORE_FAILED || app->chain_failed);
	}
}

static bool app_exists(const struct supervisor *s, const struct client *client)
{
	for (size_t i = 0; i < s->app_count; i++)
		if (named(client, &s->apps[i]))
			return true;
	return false;
}

void answers_request(struct server *server, struct client *client)
{
	static void (*const answers[])(struct supervisor *, struct client *) = {
		[COMMAND_STATUS] = answer_status,     [COMMAND_RESTART] = answer_restart,
		[COMMAND_STOP] = answer_stop,         [COMMAND_SESSIONS] = answer_sessions,
		[COMMAND_START] = answer_replicas,    [COMMAND_DEPLOY] = answer_deploy,
		[COMMAND_ROLLBACK] = answer_rollback,
	};
	_Static_assert(ARRAY_SIZE(answers) == WIRE_COMMAND_COUNT, "a command has no answer");
	struct supervisor *s = container_of(server, struct supervisor, server);

	if (app_exists(s, client))
		answers[client->request.command](s, client);
	else
		server_end(client, EXIT_USAGE, "no app is called '%s'; see twinit status",
		           client->request.app);
}
