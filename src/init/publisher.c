#include "init/publisher.h"

#include <string.h>

#include "release/publish.h"
#include "util/cleanup.h"
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

/* The roll ends with that, and visitors have noticed nothing. */
static void conclude_candidate(struct app *app, const char *why)
{
	struct text text = TEXT(app->why);

	app->published = why ? ANSWER_NO : ANSWER_YES;
	if (why)
		text_add(&text, "cannot publish release %s at %s: %s", app->candidate->release.name,
		         app->candidate->fpm.app.publish, why);
}

static void conclude_active(struct app *app, const char *why)
{
	text_copy_cut(app->publish_why, sizeof(app->publish_why), why ? why : "");
	if (why)
		log_write(NOTICE_PUBLISH_FAILED, app->config.name,
		          "cannot publish release %s at %s, static files stay as they were: %s",
		          app->active->release.name, app->config.publish, why);
}

/* @why: NULL when it worked. */
static void conclude(struct app *app, const char *why)
{
	if (app->publishing == app->candidate)
		conclude_candidate(app, why);
	else
		conclude_active(app, why);
	app->publishing = NULL;
}

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	struct app *app = container_of(helper, struct app, publisher);
	int r;

	if (size != sizeof(r))
		return;
	memcpy(&r, data, sizeof(r));
	helper_stop(helper);
	conclude(app, r < 0 ? strerror(-r) : NULL);
}

static void on_end(struct helper *helper)
{
	conclude(container_of(helper, struct app, publisher),
	         helper->late ? "it took more than 10 s" : "its helper died");
}

static void publish(struct app *app, const struct generation *generation)
{
	struct supervisor *s = app->supervisor;
	const struct publish_query query = { generation->fpm.app.publish,
		                             generation->release.path };
	const struct question question = {
		.run = publish_run,
		.query = &query,
		.power = POWER_LINKS,
		.timeout_ms = PUBLISH_TIMEOUT_MS,
	};

	helper_stop(&app->publisher); /* an older one has been overtaken */
	app->publishing = generation;
	if (query.publish[0] == '\0' || query.release[0] == '\0') {
		conclude(app, NULL);
		return;
	}
	int r = helper_start(&app->publisher, &s->loop, &s->inheritance, &question);
	if (r < 0)
		conclude(app, child_trouble(r));
}

void publish_candidate(struct app *app)
{
	app->published = ANSWER_PENDING;
	publish(app, app->candidate);
}

void publish_active(struct app *app)
{
	publish(app, app->active);
}

void publisher_init(struct app *app)
{
	app->publisher.source.fd = FD_NONE;
	app->publisher.on_answer = on_answer;
	app->publisher.on_end = on_end;
}
