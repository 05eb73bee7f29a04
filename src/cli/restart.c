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
	.summary = "roll to the current release, show each step",
	.help = "New masters are started and checked, all connections move to them in one step,\n"
		"the old ones finish what they have, or, with --force, are ended at once; what\n"
		"waits behind hung workers is then served by the new release.  After a refused\n"
		"or failed roll the old release serves on.\n"
		"\n"
		"With a REPLICA only that one is stopped and started again, on the release that\n"
		"is active; the others serve meanwhile.\n"
		"\n"
		"  --force     end the old masters at once\n"
		"  --no-wait   return when it has been asked for\n"
		"\n"
		"Exit status: 0 only when the roll succeeded (with --no-wait: it has been asked\n"
		"for), 1 else, 64 usage, or no such app or replica.\n"
		"\n"
		"Example: twinit restart && echo \"the new release serves\"\n",
	.run = run,
};
