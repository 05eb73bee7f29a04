#include "init/answers.h"

#include <stdlib.h>
#include <string.h>

#include "init/chain.h"
#include "init/deploy.h"
#include "init/picture.h"
#include "init/replicas.h"
#include "init/roll.h"
#include "init/sessions.h"
#include "init/shutdown.h"

static bool named(const struct client *client, const struct app *app)
{
	return client->request.app[0] == '\0' || strcmp(client->request.app, app->config.name) == 0;
}

/* --- commands --- */

static void answer_status(struct supervisor *s, struct client *client)
{
	picture_send_container(s, client);
	for (size_t i = 0; i < s->app_count; i++)
		if (named(client, &s->apps[i]))
			picture_send_app(&s->apps[i], client);
	server_end(client, EXIT_SUCCESS, "%s", "");
}

/* False, and @client has been told, while there is nothing to give orders to. */
static bool runs(const struct supervisor *s, struct client *client)
{
	if (picture_phase(s) == CONTAINER_RUNNING)
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

/* False, and @client has been told, when its order cannot be given to @app. */
static bool can_be_given(struct app *app, struct client *client)
{
	const char *why;

	if (client->request.replica > app->config.replicas) {
		server_end(client, EXIT_USAGE, "app '%s' has no replica %u; see twinit status",
		           app->config.name, client->request.replica);
		return false;
	}
	why = replica_obstacle(app, client);
	if (why)
		server_end(client, EXIT_FAILURE, "%s: %s", app->config.name, why);
	return !why;
}

/* All apps, or none. */
static void answer_replicas(struct supervisor *s, struct client *client)
{
	if (!runs(s, client))
		return;
	for (size_t i = 0; i < s->app_count; i++) {
		struct app *app = &s->apps[i];

		if (named(client, app) && !can_be_given(app, client))
			return;
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
	if (!wire_stops_container(&client->request)) {
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
		picture_send_sessions(app, client);
		client_served(client, app->index,
		              app->store.state == STORE_FAILED || app->chain_failed);
	}
}

void answers_sessions_unasked(struct app *app, const char *whom, int error)
{
	struct server *server = &app->supervisor->server;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &server->clients[i];

		if (!is_waiting(client, app))
			continue;
		memset(client->awaits, 0, sizeof(client->awaits));
		server_end(client, EXIT_FAILURE, "%s: cannot ask %s: %s", app->config.name, whom,
		           child_trouble(error));
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
