#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/overview.h"

/* One of the replicas that an app shall have. */
struct place {
	const char *app;
	unsigned number;
	const char *state;
	const struct wire_replica *wire; /* NULL: nothing runs there */
};

typedef void place_fn(const struct place *place, void *context);

static const struct wire_replica *find(const struct app_view *app, unsigned number)
{
	for (unsigned i = 0; i < app->replica_count; i++) {
		const struct wire_replica *r = &app->replicas[i].wire;

		if (r->group == GROUP_ACTIVE && r->number == number && !r->rescue)
			return r;
	}
	return NULL;
}

static void each_place(const struct overview *overview, place_fn *on_place, void *context)
{
	for (unsigned i = 0; i < overview->app_count; i++) {
		const struct app_view *app = &overview->apps[i];

		for (unsigned n = 1; n <= app->wire.replicas && n <= REPLICAS_MAX; n++) {
			const struct wire_replica *wire = find(app, n);
			bool stopped = app->wire.stopped & 1u << (n - 1);

			on_place(&(struct place){ .app = app->wire.name,
			                          .number = n,
			                          .wire = wire,
			                          .state = wire ? master_state_name(wire->state)
			                                   : stopped ? "stopped"
			                                             : "gone" },
			         context);
		}
	}
}

static void print_name(const struct place *place, void *context)
{
	(void)context;
	printf("%s/%u\n", place->app, place->number);
}

static void print_line(const struct place *place, void *context)
{
	(void)context;
	printf("%s/%u %s", place->app, place->number, place->state);
	if (place->wire)
		printf(" release %s, pid %u", place->wire->release, place->wire->pid);
	putchar('\n');
}

static void add_json(const struct place *place, void *context)
{
	json_t *list = context, *one = json_object();

	json_object_set_new(one, "app", text_json(place->app));
	json_object_set_new(one, "replica", json_integer(place->number));
	json_object_set_new(one, "state", text_json(place->state));
	json_object_set_new(one, "release",
	                    place->wire ? text_json(place->wire->release) : json_null());
	json_object_set_new(one, "pid", place->wire ? json_integer(place->wire->pid) : json_null());
	json_array_append_new(list, one);
}

static int print_json(const struct overview *overview)
{
	json_begin();
	json_t *list = json_array();

	each_place(overview, add_json, list);
	return json_print(list) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(int argc, char *argv[])
{
	const struct overview *overview;
	bool json = false, quiet = false;

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else if (strcmp(argv[i], "-q") == 0)
			quiet = true;
		else
			return command_usage(&list_command, "unexpected argument", argv[i]);
	int r = overview_ask("", 0, false, &overview);
	if (r != EXIT_SUCCESS)
		return r;
	if (json)
		return print_json(overview);
	each_place(overview, quiet ? print_name : print_line, NULL);
	return EXIT_SUCCESS;
}

const struct command list_command = {
	.name = "list",
	.arguments = "[--json] [-q]",
	.summary = "one line for each replica",
	.help = "APP/REPLICA, its state, and the release and the pid of what runs there.\n"
		"Replicas that were stopped are there; new and old ones of a roll are not, see\n"
		"twinit status.\n"
		"\n"
		"  --json   a list of objects: app, replica, state, release, pid\n"
		"  -q       names only\n"
		"\n"
		"Exit status: 0 a running twinit answered, 1 none did, 64 usage.\n"
		"\n"
		"Example: twinit list -q\n",
	.run = run,
};
