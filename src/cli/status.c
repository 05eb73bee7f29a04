#include "cli/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/order.h"

/* Of what was asked for: the container, an app, a replica that serves. */
static int health_of(const struct overview *overview, const struct wire_request *asked)
{
	const struct app_view *app = &overview->apps[0];
	bool well = overview->container.healthy;

	if (asked->app[0] != '\0')
		well = overview->app_count > 0 && app->wire.healthy;
	if (asked->replica != 0) {
		well = false;
		for (unsigned i = 0; i < app->replica_count; i++) {
			const struct wire_replica *r = &app->replicas[i].wire;

			well = well || (r->state == MASTER_READY && r->group == GROUP_ACTIVE);
		}
	}
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int print_json(const struct overview *overview)
{
	json_begin();
	return json_print(status_json(overview)) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(int argc, char *argv[])
{
	struct wire_request asked = { 0 };
	const struct overview *overview;
	bool json = false, quiet = false;
	int kept = 0, r;

	/* The words are those of an order; the options are our own. */
	for (int i = 0; i < argc; i++)
		if (i > 0 && strcmp(argv[i], "--json") == 0)
			json = true;
		else if (i > 0 && strcmp(argv[i], "-q") == 0)
			quiet = true;
		else
			argv[kept++] = argv[i];
	r = order_parse(&status_command, kept, argv, false, false, &asked);
	if (r == EXIT_SUCCESS)
		r = overview_ask(asked.app, asked.replica, !quiet, &overview);
	if (r != EXIT_SUCCESS)
		return r;
	if (quiet)
		return health_of(overview, &asked);
	if (json)
		return print_json(overview);
	status_print(overview);
	return EXIT_SUCCESS;
}

const struct command status_command = {
	.name = "status",
	.arguments = "[--json] [-q] [all | APP [REPLICA]]",
	.summary = "show replicas, workers, sessions, the last roll",
	.help = "PING is how long the master took to show its status page, which works when all\n"
		"its workers are busy, too; \"none\": it does not answer within a second.  MEM is\n"
		"what it and its workers have in memory for themselves.  BUSY/IDLE, QUEUE and\n"
		"REQS are FPM's own numbers since that master started.\n"
		"\n"
		"  --json   the same and more for scripts, see doc/status.md\n"
		"  -q       say nothing; exit status 0 when all that was asked for is healthy\n"
		"\n"
		"Exit status: 0 a running twinit answered (-q: all is healthy), 1 none did (-q:\n"
		"or not all is healthy), 64 usage, or no such app or replica.\n"
		"\n"
		"Example: twinit status --json www | jq '.apps[0].release'\n",
	.run = run,
};
