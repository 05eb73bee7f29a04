#include "init/replicas.h"

#include <stdlib.h>

#include "init/master.h"
#include "init/masters.h"
#include "init/report.h"

static uint32_t bit(unsigned number)
{
	return 1u << (number - 1);
}

/* The replicas that @client names. */
static uint32_t named(const struct app *app, const struct client *client)
{
	return client->request.replica ? bit(client->request.replica)
	                               : (1u << app->config.replicas) - 1;
}

bool replicas_last(struct app *app, const struct client *client)
{
	uint32_t leaving = named(app, client);
	bool leaves = false;

	for (unsigned number = 1; number <= app->config.replicas; number++) {
		const struct master *master = master_find(app, GROUP_ACTIVE, number);
		bool serves = master && master->state == MASTER_READY;

		if (serves && !(leaving & bit(number)))
			return false;
		leaves = leaves || (serves && (leaving & bit(number)));
	}
	return leaves;
}

static void stop(struct app *app, unsigned number)
{
	struct news news = news_of(app, NEWS_REPLICA_STOPPING);
	struct master *master = master_find(app, GROUP_ACTIVE, number);

	app->stopped |= bit(number);
	if (!master)
		return;
	news.replica = number;
	report(app->supervisor, &news);
	app->leaving |= bit(number);
	master_deliver(master, EVENT_STOP);
}

/* One that is still on its way out comes back when it is gone. */
static void start(struct app *app, unsigned number)
{
	app->stopped &= ~bit(number);
	if (app->leaving & bit(number))
		app->restarting |= bit(number);
	else if (!master_find(app, GROUP_ACTIVE, number))
		master_start(app, app->active, GROUP_ACTIVE, app->lane, number, false);
}

void replicas_order(struct app *app, struct client *client)
{
	uint32_t wanted = named(app, client);

	client->awaits[app->index] = wanted;
	for (unsigned number = 1; number <= app->config.replicas; number++) {
		if (!(wanted & bit(number)))
			continue;
		if (client->request.command == COMMAND_START) {
			start(app, number);
			continue;
		}
		stop(app, number);
		if (client->request.command == COMMAND_RESTART)
			app->restarting |= bit(number);
		else
			app->restarting &= ~bit(number);
	}
}

/* --- what became of it --- */

/* @why: NULL when it worked. */
static void end_if_done(struct app *app, struct client *client, unsigned number, const char *why)
{
	client->awaits[app->index] &= ~bit(number);
	if (why)
		server_end(client, EXIT_FAILURE, "%s: replica %u: %s", app->config.name, number,
		           why);
	else if (client->awaits[app->index] == 0)
		client_served(client, app->index, false);
}

static void look(struct app *app, struct client *client, unsigned number)
{
	const struct master *master = master_find(app, GROUP_ACTIVE, number);
	bool stopping = client->request.command == COMMAND_STOP;
	bool shall_be_gone = app->stopped & ~app->restarting & bit(number);

	if (stopping && !master)
		end_if_done(app, client, number, NULL);
	else if (!stopping && master && master->state == MASTER_READY &&
	         !(app->stopped & bit(number)))
		end_if_done(app, client, number, NULL);
	else if (!stopping && master && master->state == MASTER_BACKOFF)
		end_if_done(app, client, number, "it did not start, and will be tried again");
	else if (!stopping && number > app->config.replicas)
		end_if_done(app, client, number, "a roll has left the app with fewer replicas");
	else if (stopping != shall_be_gone)
		end_if_done(app, client, number, "somebody else wants it otherwise by now");
}

static bool waits_for_replica(const struct client *client, const struct app *app)
{
	const struct wire_request *request = &client->request;

	return client_waits(client) && client->awaits[app->index] != 0 &&
	       (request->command == COMMAND_START || request->command == COMMAND_STOP ||
	        (request->command == COMMAND_RESTART && request->replica != 0));
}

static void say_gone(struct app *app, unsigned number)
{
	struct news news = news_of(app, NEWS_REPLICA_STOPPED);

	news.replica = number;
	report(app->supervisor, &news);
	app->leaving &= ~bit(number);
}

static void start_again(struct app *app, unsigned number)
{
	app->restarting &= ~bit(number);
	app->stopped &= ~bit(number);
	/* Only this one: a roll may have given up another to make room. */
	master_start(app, app->active, GROUP_ACTIVE, app->lane, number, false);
}

void replicas_advance(struct app *app)
{
	/* Also those that a roll with another configuration has left out: somebody may wait. */
	for (unsigned number = 1; number <= REPLICAS_MAX; number++) {
		bool gone = !master_find(app, GROUP_ACTIVE, number);

		if (gone && (app->leaving & bit(number)))
			say_gone(app, number);
		if (gone && (app->restarting & bit(number)))
			start_again(app, number);
		for (size_t i = 0; i < CLIENTS_MAX; i++) {
			struct client *client = &app->supervisor->server.clients[i];

			if (waits_for_replica(client, app) &&
			    (client->awaits[app->index] & bit(number)))
				look(app, client, number);
		}
	}
}
