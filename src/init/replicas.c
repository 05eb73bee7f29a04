#include "init/replicas.h"

#include <stdlib.h>

#include "init/master.h"
#include "init/masters.h"
#include "init/report.h"
#include "init/roll.h"

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

void replicas_order(struct app *app, struct client *client)
{
	uint32_t wanted = named(app, client);

	client->awaits[app->index] = wanted;
	for (unsigned number = 1; number <= app->config.replicas; number++) {
		if (!(wanted & bit(number)))
			continue;
		if (client->request.command == COMMAND_START)
			app->stopped &= ~bit(number);
		else
			stop(app, number);
		if (client->request.command == COMMAND_RESTART)
			app->restarting |= bit(number);
		else
			app->restarting &= ~bit(number);
	}
	if (client->request.command == COMMAND_START)
		roll_fill(app);
}

/* --- what became of it --- */

static void end_if_done(struct app *app, struct client *client, unsigned number, bool worked)
{
	client->awaits[app->index] &= ~bit(number);
	if (!worked)
		client->exit_status = EXIT_FAILURE;
	for (size_t i = 0; i < APPS_MAX; i++)
		if (client->awaits[i] != 0)
			return;
	server_end(client, client->exit_status, "%s", "");
}

static void look(struct app *app, struct client *client, unsigned number)
{
	const struct master *master = master_find(app, GROUP_ACTIVE, number);
	bool stopping = client->request.command == COMMAND_STOP;

	if (stopping && !master)
		end_if_done(app, client, number, true);
	else if (!stopping && master && master->state == MASTER_READY &&
	         !(app->stopped & bit(number)))
		end_if_done(app, client, number, true);
	else if (!stopping && master && master->state == MASTER_BACKOFF)
		end_if_done(app, client, number, false);
	/* Somebody else wants it otherwise by now. */
	else if (stopping != ((app->stopped & ~app->restarting & bit(number)) != 0))
		end_if_done(app, client, number, false);
}

static bool waits_for_replica(const struct client *client, const struct app *app)
{
	const struct wire_request *request = &client->request;

	return client->source.fd >= 0 && client->asked && client->awaits[app->index] != 0 &&
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
	roll_fill(app);
}

void replicas_advance(struct app *app)
{
	for (unsigned number = 1; number <= app->config.replicas; number++) {
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
