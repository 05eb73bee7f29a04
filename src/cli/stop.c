#include <stdlib.h>

#include "cli/command.h"
#include "cli/talk.h"
#include "util/cleanup.h"

static void on_reply(const struct wire_reply *reply, void *context)
{
	(void)reply;
	(void)context;
}

static int run(int argc, char *argv[])
{
	if (argc > 1)
		return command_usage(&stop_command, "unexpected argument", argv[1]);
	_cleanup_close_ int fd = talk_open(&(struct wire_request){ .command = COMMAND_STOP });
	if (fd < 0)
		return EXIT_FAILURE;
	return talk_listen(fd, TALK_PATIENCE_MS, on_reply, NULL);
}

const struct command stop_command = {
	.name = "stop",
	.arguments = "",
	.summary = "drain and stop the container, as TERM does",
	.help = "Returns when the stop has begun.\n",
	.run = run,
};
