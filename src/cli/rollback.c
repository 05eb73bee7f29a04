#include "cli/order.h"

static int run(int argc, char *argv[])
{
	struct wire_request request = { .command = COMMAND_ROLLBACK };
	int r = order_parse(&rollback_command, argc, argv, false, true, &request);

	if (r != 0)
		return r;
	if (request.all || request.replica != 0)
		return command_usage(&rollback_command, "takes one app", "");
	return order_follow(&request);
}

const struct command rollback_command = {
	.name = "rollback",
	.arguments = "[--no-wait] [APP]",
	.summary = "go back to the release before",
	.help = "Inside `linger` the old masters are still there, and one cutover leads back to\n"
		"them.  Afterwards it is a deploy of the release that was active before.  The\n"
		"release symlink is made to name it, too.\n"
		"\n"
		"  --no-wait   return when it has been asked for\n"
		"\n"
		"Exit status: 0 only when the release before serves (with --no-wait: it has been\n"
		"asked for), 1 else, 64 usage, or no such app.\n"
		"\n"
		"Example: twinit rollback www\n",
	.run = run,
};
