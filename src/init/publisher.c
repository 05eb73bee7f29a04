#include "init/publisher.h"

#include <string.h>

#include "release/publish.h"
#include "util/log.h"
#include "util/text.h"

enum { PUBLISH_TIMEOUT_MS = 10000 };

struct publish_query {
	const char *publish;
	const char *release;
};

static void publish_run(const void *query, int answer_fd)
{
	const struct publish_query *q = query;
	int r = publish_release(q->publish, q->release);

	helper_answer(answer_fd, &r, sizeof(r));
}

static void complain(struct app *app, const char *why)
{
	text_copy_cut(app->publish_why, sizeof(app->publish_why), why);
	log_write(LOG_ERROR,
	          "%s: cannot publish release %s at %s, static files stay as they were: %s",
	          app->config.name, app->active->release.name, app->config.publish, why);
}

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	struct app *app = container_of(helper, struct app, publisher);
	int r;

	if (size != sizeof(r))
		return;
	memcpy(&r, data, sizeof(r));
	helper_stop(helper);
	app->publish_why[0] = '\0';
	if (r < 0)
		complain(app, strerror(-r));
}

static void on_end(struct helper *helper)
{
	complain(container_of(helper, struct app, publisher),
	         helper->late ? "it took more than 10 s" : "its helper died");
}

void publish_active(struct app *app)
{
	struct supervisor *s = app->supervisor;
	const struct publish_query query = { app->config.publish, app->active->release.path };
	const struct question question = {
		.run = publish_run,
		.query = &query,
		.power = POWER_FULL,
		.timeout_ms = PUBLISH_TIMEOUT_MS,
	};
	int r;

	if (query.publish[0] == '\0' || query.release[0] == '\0')
		return;
	helper_stop(&app->publisher); /* an older one has been overtaken */
	app->publisher.on_answer = on_answer;
	app->publisher.on_end = on_end;
	r = helper_start(&app->publisher, &s->loop, &s->inheritance, &question);
	if (r < 0)
		complain(app, child_trouble(r));
}
