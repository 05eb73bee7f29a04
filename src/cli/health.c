#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/talk.h"
#include "util/cleanup.h"

static void on_reply(const struct wire_reply *reply, void *context)
{
	struct wire_container *container = context;

	if (reply->kind == WIRE_CONTAINER)
		*container = reply->container;
}

static int run(int argc, char *argv[])
{
	struct wire_container container = { 0 };

	if (argc > 1)
		return command_usage(&health_command, "unexpected argument", argv[1]);
	_cleanup_close_ int fd = talk_open(&(struct wire_request){ .command = COMMAND_STATUS });
	if (fd < 0 || talk_listen(fd, TALK_PATIENCE_MS, on_reply, &container) != 0)
		return EXIT_FAILURE;
	printf("%s%s%s\n",
	       !container.healthy   ? "unhealthy"
	       : container.degraded ? "healthy, degraded"
	                            : "healthy",
	       container.why[0] ? ": " : "", container.why);
	return container.healthy ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command health_command = {
	.name = "health",
	.arguments = "",
	.summary = "for HEALTHCHECK: exit 0 or 1, and one line",
	.help = "Healthy means that each app has a replica that serves.  A session store that\n"
		"was lost after the start makes the container degraded, which is still healthy,\n"
		"unless fail_health says otherwise.  Where twinit runs another command, healthy\n"
		"means that this runs.\n"
		"\n"
		"Exit status: 0 healthy or degraded, 1 unhealthy, or no running twinit, 64 usage.\n"
		"\n"
		"Example: docker exec CONTAINER twinit health\n",
	.run = run,
};
