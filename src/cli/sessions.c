#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/talk.h"
#include "session/store.h"
#include "util/cleanup.h"

enum { STORES_PATIENCE_MS = 30000 };

static void on_reply(const struct wire_reply *reply, void *context)
{
	const struct wire_sessions *s = &reply->sessions;

	(void)context;
	if (reply->kind != WIRE_SESSIONS)
		return;
	if (s->state == STORE_OK)
		printf("%s: ok: %s, %u store%s, write, read and delete in %u.%u ms\n", s->app,
		       s->where, s->stores, s->stores == 1 ? "" : "s", s->latency_us / 1000,
		       s->latency_us % 1000 / 100);
	else if (s->state == STORE_FAILED)
		printf("%s: failed: %s\n", s->app, s->reason);
	else
		printf("%s: no pool keeps its sessions in Redis\n", s->app);
	if (s->warning[0] != '\0')
		printf("%s: warning: %s\n", s->app, s->warning);
}

static int run(int argc, char *argv[])
{
	if (argc > 1)
		return command_usage(&sessions_command, "unexpected argument", argv[1]);
	_cleanup_close_ int fd = talk_open(&(struct wire_request){ .command = COMMAND_SESSIONS });
	if (fd < 0)
		return EXIT_FAILURE;
	return talk_listen(fd, STORES_PATIENCE_MS, on_reply, NULL);
}

const struct command sessions_command = {
	.name = "sessions",
	.arguments = "",
	.summary = "ask the session stores now",
	.help = "Connects to every Redis that a pool's session.save_path names, as PHP would, and\n"
		"writes, reads and deletes a key there.  Exit status 1 when one failed.\n",
	.run = run,
};
