#include <stdlib.h>

#include "cli/order.h"
#include "cli/talk.h"
#include "util/cleanup.h"

static void on_reply(const struct wire_reply *reply, void *context)
{
	(void)reply;
	(void)context;
}

/* PID 1 ends the conversation when the stop has begun. */
static int stop_container(const struct wire_request *request)
{
	_cleanup_close_ int fd = talk_open(request);

	if (fd < 0)
		return EXIT_FAILURE;
	return talk_listen(fd, TALK_PATIENCE_MS, on_reply, NULL);
}

static int run(int argc, char *argv[])
{
	struct wire_request request = { .command = COMMAND_STOP };
	int r = order_parse(&stop_command, argc, argv, true, false, &request);

	if (r != 0)
		return r;
	if (request.force && !request.all && request.app[0] == '\0')
		return command_usage(&stop_command, "--force needs all or an APP", "");
	return request.all || request.app[0] != '\0' ? order_follow(&request)
	                                             : stop_container(&request);
}

const struct command stop_command = {
	.name = "stop",
	.arguments = "[[--force] all | APP [REPLICA]]",
	.summary = "stop the container, or replicas",
	.help = "Without an argument the container is drained and stopped, as by TERM; returns\n"
		"when that has begun.\n"
		"\n"
		"With one, replicas stop and stay away until twinit start or the next roll.\n"
		"They finish what they have, but share their queue with those that serve on, so\n"
		"that a sleep() in a page ends early.\n"
		"\n"
		"  --force   stop the last one that serves an app, too; who connects then waits\n"
		"            until one is started\n"
		"\n"
		"Exit status: 0 the container's stop has begun, or the replicas have stopped, 1\n"
		"refused or failed, 64 usage, or no such app or replica.\n"
		"\n"
		"Example: twinit stop www 2\n",
	.run = run,
};
