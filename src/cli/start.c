#include "cli/order.h"

static int run(int argc, char *argv[])
{
	struct wire_request request = { .command = COMMAND_START };
	int r = order_parse(&start_command, argc, argv, false, false, &request);

	return r != 0 ? r : order_follow(&request);
}

const struct command start_command = {
	.name = "start",
	.arguments = "[all | APP [REPLICA]]",
	.summary = "start replicas that were stopped",
	.help = "They start on the release that is active.\n"
		"\n"
		"Exit status: 0 when all of them serve, 1 else, 64 usage, or no such app or\n"
		"replica.\n"
		"\n"
		"Example: twinit start www 2\n",
	.run = run,
};
