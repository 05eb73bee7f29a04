#include "init/report.h"

#include <string.h>

static bool concerns(const struct client *client, const char *app)
{
	return client_waits(client) && client->request.command != COMMAND_SESSIONS &&
	       (client->request.app[0] == '\0' || strcmp(client->request.app, app) == 0);
}

void report(struct supervisor *supervisor, const struct news *news)
{
	char buffer[1024];
	struct text line = TEXT(buffer);
	struct wire_reply reply = { .kind = WIRE_NEWS, .news = *news };

	if (news_is_logged(news->kind)) {
		news_text(news, &line);
		log_event(news_level(news->kind), news_name(news->kind), news->app, buffer);
	}
	events_tell(supervisor, news);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (concerns(&supervisor->server.clients[i], news->app))
			server_send(&supervisor->server.clients[i], &reply);
}

struct news news_of(const struct app *app, enum news_kind kind)
{
	struct news news = { .kind = kind };

	memcpy(news.app, app->config.name, sizeof(news.app));
	return news;
}

void report_text(struct app *app, enum news_kind kind, const char *format, ...)
{
	struct news news = news_of(app, kind);
	struct text text = TEXT(news.text);
	va_list args;

	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
	report(app->supervisor, &news);
}
