#include "cli/order.h"

static int run(int argc, char *argv[])
{
	struct wire_request request = { .command = COMMAND_RESTART };
	int r = order_parse(&restart_command, argc, argv, true, true, &request);

	return r != 0 ? r : order_follow(&request);
}

const struct command restart_command = {
	.name = "restart",
	.arguments = "[--force] [--no-wait] [all | APP [REPLICA]]",
	.summary = "roll to the current release, show each step, wait",
	.help = "New masters are started and checked, all connections move to them in one step, "
		"the\n"
		"old ones finish what they have, or, with --force, are ended at once; what waits\n"
		"behind hung workers is then served by the new release.  Exit status 0 only when\n"
		"the roll succeeded; after a refused or failed one the old release serves on.\n"
		"\n"
		"With a REPLICA only that one is stopped and started again, on the release that "
		"is\n"
		"active; the others serve meanwhile.\n"
		"\n"
		"  --no-wait   return when it has been asked for\n",
	.run = run,
};
