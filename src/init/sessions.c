#include "init/sessions.h"

#include <string.h>

#include "init/answers.h"
#include "init/report.h"
#include "question/stores.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum {
	STORE_PATIENCE_MS = 2000, /* for one address */
	STORE_HELPER_MS = 15000,  /* for all of them */
	BOOT_RETRY_MS = 250,
};

static enum verify verify_of(const struct app *app)
{
	return app->supervisor->config->sessions.verify;
}

bool sessions_wanted(const struct app *app)
{
	return verify_of(app) != VERIFY_OFF && (app->store_at_ms == 0 || app->store.uses_redis ||
	                                        verify_of(app) == VERIFY_REQUIRED);
}

bool sessions_well(const struct app *app)
{
	if (!sessions_wanted(app) || verify_of(app) == VERIFY_REPORT)
		return true;
	return app->store_at_ms != 0 && app->store.state == STORE_OK;
}

static bool same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* Say it once when it changes, not at every answer. */
static void tell(struct app *app, const struct store_report *before)
{
	const struct store_report *now = &app->store;
	/* A boot that waits for the store says at its end what was missing. */
	bool may_say = app->supervisor->boot == BOOT_DONE || verify_of(app) == VERIFY_REPORT;

	if (now->state == STORE_FAILED && may_say && !app->store_lost)
		report_text(app, NEWS_SESSIONS_LOST, "%s", now->reason);
	if (now->state == STORE_OK && app->store_lost)
		report_text(app, NEWS_SESSIONS_BACK, "%s", now->where);
	if (now->warning[0] != '\0' && !same(now->warning, before->warning))
		report_text(app, NEWS_SESSIONS_DOUBT, "%s", now->warning);
	app->store_lost = now->state == STORE_FAILED && may_say;
}

static void schedule(struct app *app)
{
	uint32_t in_ms = app->supervisor->config->sessions.every_ms;

	if (!sessions_wanted(app))
		return;
	if (app->supervisor->boot != BOOT_DONE)
		in_ms = BOOT_RETRY_MS;
	deadline_arm(&app->supervisor->loop, &app->stores_next, in_ms);
}

static void take(struct app *app, const struct store_report *report)
{
	struct store_report before = app->store;

	app->store = *report;
	app->store_at_ms = clock_ms();
	if (verify_of(app) == VERIFY_REQUIRED && !report->uses_redis) {
		struct text reason = TEXT(app->store.reason);

		app->store.state = STORE_FAILED;
		text_add(&reason, "verify = required, but no pool keeps its sessions in Redis; set "
		                  "session.save_handler");
	}
	tell(app, &before);
	schedule(app);
	answers_sessions_asked(app);
}

static void end_texts(struct store_report *report)
{
	report->where[sizeof(report->where) - 1] = '\0';
	report->reason[sizeof(report->reason) - 1] = '\0';
	report->warning[sizeof(report->warning) - 1] = '\0';
}

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	struct app *app = container_of(helper, struct app, stores);
	struct store_report answer;

	if (size != sizeof(answer))
		return;
	memcpy(&answer, data, sizeof(answer));
	end_texts(&answer);
	helper_stop(helper);
	take(app, &answer);
}

static void on_end(struct helper *helper)
{
	struct app *app = container_of(helper, struct app, stores);
	struct store_report answer = { .state = STORE_FAILED, .uses_redis = true };
	struct text reason = TEXT(answer.reason);

	text_add(&reason, "%s",
	         helper->late ? "the session store did not answer within 15 s"
	                      : "the helper that asks the session store died");
	take(app, &answer);
}

int sessions_start(struct supervisor *supervisor, int sources, struct helper *helper,
                   void (*answer)(struct helper *, const void *, size_t),
                   void (*end)(struct helper *))
{
	struct stores_query query = {
		.sources_fd = sources,
		.timeout_ms = STORE_PATIENCE_MS,
	};
	struct question question = {
		.run = stores_run,
		.query = &query,
		.power = POWER_NETWORK,
		.keep = { sources },
		.keep_count = 1,
		.timeout_ms = STORE_HELPER_MS,
	};

	helper->on_answer = answer;
	helper->on_end = end;
	return helper_start(helper, &supervisor->loop, &supervisor->inheritance, &question);
}

void sessions_ask(struct app *app)
{
	const struct generation *generation = app->active ? app->active : app->candidate;
	int r;

	deadline_disarm(&app->supervisor->loop, &app->stores_next);
	if (helper_running(&app->stores) || !generation)
		return;
	r = sessions_start(app->supervisor, generation->sources, &app->stores, on_answer, on_end);
	if (r < 0) {
		log_errno(r, "%s: cannot ask the session store", app->config.name);
		schedule(app);
	}
}

void sessions_ask_anew(struct app *app)
{
	if (verify_of(app) == VERIFY_OFF)
		return;
	helper_stop(&app->stores);
	sessions_ask(app);
}

static void on_due(struct deadline *deadline)
{
	sessions_ask(container_of(deadline, struct app, stores_next));
}

void sessions_stop(struct app *app)
{
	deadline_disarm(&app->supervisor->loop, &app->stores_next);
	helper_stop(&app->stores);
}

void sessions_init(struct app *app)
{
	app->stores.source.fd = FD_NONE;
	app->stores_next.on_due = on_due;
}
