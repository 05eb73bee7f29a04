#include "cli/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/talk.h"
#include "util/cleanup.h"

/* 0 for what is no number of a replica. */
static unsigned replica_of(const char *text)
{
	return text[0] >= '1' && text[0] <= '0' + REPLICAS_MAX && text[1] == '\0'
	               ? (unsigned)(text[0] - '0')
	               : 0;
}

static int take_name(const struct command *command, const char *name, struct wire_request *request)
{
	if (request->all || request->replica != 0)
		return command_usage(command, "unexpected argument", name);
	if (request->app[0] != '\0') {
		request->replica = replica_of(name);
		return request->replica ? 0
		                        : command_usage(command, "no number of a replica", name);
	}
	request->all = strcmp(name, "all") == 0;
	return request->all ? 0 : talk_name(request, name);
}

int order_parse(const struct command *command, int argc, char *argv[], bool force, bool no_wait,
                struct wire_request *request)
{
	int r = 0;

	for (int i = 1; i < argc && r == 0; i++) {
		if (force && strcmp(argv[i], "--force") == 0)
			request->force = true;
		else if (no_wait && strcmp(argv[i], "--no-wait") == 0)
			request->no_wait = true;
		else if (no_wait && strcmp(argv[i], "--wait") == 0)
			request->no_wait = false;
		else if (argv[i][0] == '-')
			r = command_usage(command, "unknown option", argv[i]);
		else
			r = take_name(command, argv[i], request);
	}
	return r;
}

/* A step that goes on is shown on a terminal only, and the line of its end replaces it. */
static bool goes_on(enum news_kind kind)
{
	return kind == NEWS_REPLICA_STARTING || kind == NEWS_REPLICA_STOPPING ||
	       kind == NEWS_DRAINING;
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
	(void)fflush(stdout);
}

int order_follow(const struct wire_request *request)
{
	bool terminal = isatty(STDOUT_FILENO);
	_cleanup_close_ int fd = talk_open(request);

	if (fd < 0)
		return EXIT_FAILURE;
	return talk_listen(fd, -1, on_news, &terminal);
}
