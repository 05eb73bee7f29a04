#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/talk.h"
#include "util/cleanup.h"

/* A step that goes on is shown on a terminal only, and the line of its end replaces it. */
static bool goes_on(enum news_kind kind)
{
	return kind == NEWS_REPLICA_STARTING || kind == NEWS_DRAINING;
}

static void on_news(const struct wire_reply *reply, void *context)
{
	const bool *terminal = context;
	char buffer[1024];
	struct text line = TEXT(buffer);

	if (reply->kind != WIRE_NEWS)
		return;
	if (goes_on(reply->news.kind) && !*terminal)
		return;
	news_text(&reply->news, &line);
	printf("%s%s%s", *terminal ? "\r\033[K" : "", buffer,
	       goes_on(reply->news.kind) ? "" : "\n");
	fflush(stdout);
}

static int run(int argc, char *argv[])
{
	struct wire_request request = { .command = COMMAND_RESTART };
	bool terminal = isatty(STDOUT_FILENO);
	const char *app = NULL;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--force") == 0)
			request.force = true;
		else if (argv[i][0] == '-' || app)
			return command_usage(&restart_command, "unexpected argument", argv[i]);
		else
			app = argv[i];
	}
	if (app && strcmp(app, "all") != 0 && !talk_name(&request, app))
		return EXIT_FAILURE;
	_cleanup_close_ int fd = talk_open(&request);
	if (fd < 0)
		return EXIT_FAILURE;
	return talk_listen(fd, -1, on_news, &terminal);
}

const struct command restart_command = {
	.name = "restart",
	.arguments = "[--force] [all | APP]",
	.summary = "roll to the current release, show each step, wait",
	.help = "New masters are started and checked, all connections move to them in one step, "
		"the\n"
		"old ones finish what they have, or, with --force, are ended at once; what waits\n"
		"behind hung workers is then served by the new release.  Exit status 0 only when\n"
		"the roll succeeded; after a refused or failed one the old release serves on.\n",
	.run = run,
};
