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
	.summary = "back to the release before: at once inside `linger`, else by a roll",
	.help = "Inside `linger` the old masters are still there, and one cutover leads back to "
		"them.\n"
		"Afterwards it is a deploy of the release that was active before.  The release\n"
		"symlink is made to name it, too.\n",
	.run = run,
};
