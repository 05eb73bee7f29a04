#include "init/sessions.h"

#include <inttypes.h>
#include <string.h>

#include "init/answers.h"
#include "init/report.h"
#include "question/stores.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/random.h"

enum {
	STORE_PATIENCE_MS = 2000, /* for one address */
	STORE_TOTAL_MS = 10000,   /* for all of them, but not for name servers */
	STORE_HELPER_MS = 15000,  /* for everything */
	LEAVE_MS = 1000,
	RELEASE_FIRST_MS = 1000, /* workers of a dead master get some seconds to end, */
	RELEASE_LAST_MS = 15000, /* so their locks are looked for more than once */
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

/* The helper has read a server's bytes, so nothing in its answer is relied on. */
static void tame(struct store_report *report)
{
	if (report->state > STORE_FAILED)
		report->state = STORE_FAILED;
	report->where[sizeof(report->where) - 1] = '\0';
	report->reason[sizeof(report->reason) - 1] = '\0';
	report->warning[sizeof(report->warning) - 1] = '\0';
}

void sessions_judge(const struct app *app, struct store_report *report)
{
	struct text reason;

	tame(report);
	if (verify_of(app) != VERIFY_REQUIRED || report->uses_redis)
		return;
	reason = TEXT(report->reason);
	report->state = STORE_FAILED;
	text_add(&reason, "verify = required, but no pool keeps its sessions in Redis; set "
	                  "session.save_handler");
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
	if (now->released > 0)
		log_write(NOTICE_LOCKS_RELEASED, app->config.name,
		          "released %u session lock%s that killed workers had left", now->released,
		          now->released == 1 ? "" : "s");
	app->store_lost = now->state == STORE_FAILED && may_say;
}

static void schedule(struct app *app)
{
	uint32_t in_ms = app->supervisor->config->sessions.every_ms;

	if (!sessions_wanted(app))
		return;
	if (app->supervisor->boot != BOOT_DONE && app->store.state != STORE_OK)
		in_ms = BOOT_RETRY_MS;
	deadline_arm(&app->supervisor->loop, &app->stores_next, in_ms);
}

static void take(struct app *app, const struct store_report *report)
{
	struct store_report before = app->store;

	app->store = *report;
	app->store_at_ms = clock_ms();
	tell(app, &before);
	schedule(app);
	answers_store_asked(app);
}

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	struct app *app = container_of(helper, struct app, stores);
	struct store_report answer;

	if (size != sizeof(answer))
		return;
	memcpy(&answer, data, sizeof(answer));
	sessions_judge(app, &answer);
	fd_close(&app->findings);
	app->findings = TAKE_FD(helper->passed_fd);
	helper_stop(helper);
	take(app, &answer);
}

static void on_end(struct helper *helper)
{
	struct app *app = container_of(helper, struct app, stores);
	struct store_report answer = { .state = STORE_FAILED, .uses_redis = true };
	struct text reason = TEXT(answer.reason);

	fd_close(&app->findings);
	text_add(&reason, "%s",
	         helper->late ? "the session store did not answer within 15 s"
	                      : "the helper that asks the session store died");
	take(app, &answer);
}

static void fill_membership(const struct supervisor *s, struct membership *membership)
{
	memcpy(membership->id, s->member_id, sizeof(membership->id));
	memcpy(membership->service, s->config->sessions.service, sizeof(membership->service));
	membership->age_s = (clock_ms() - s->started_ms) / 1000;
	membership->every_s = s->config->sessions.every_ms / 1000;
}

_Static_assert(sizeof(((struct membership *)0)->service) ==
                       sizeof(((struct session_config *)0)->service),
               "a service's name has one size");

int sessions_start(struct app *app, int sources, bool preflight, struct helper *helper,
                   void (*answer)(struct helper *, const void *, size_t),
                   void (*end)(struct helper *))
{
	struct supervisor *supervisor = app->supervisor;
	struct stores_query query = {
		.sources_fd = sources,
		.timeout_ms = STORE_PATIENCE_MS,
		.total_ms = STORE_TOTAL_MS,
		/* Not on the way out: our key would stay behind. */
		.membership.join = !preflight && supervisor->stop == STOP_NONE,
		.release = !preflight && clock_ms() < app->release_until_ms,
	};
	struct question question = {
		.run = stores_run,
		.query = &query,
		.power = POWER_NETWORK,
		.keep = { sources },
		.keep_count = 1,
		.timeout_ms = STORE_HELPER_MS,
	};

	fill_membership(supervisor, &query.membership);
	helper->on_answer = answer;
	helper->on_end = end;
	return helper_start(helper, &supervisor->loop, &supervisor->inheritance, &question);
}

void sessions_ask(struct app *app)
{
	int r;

	deadline_disarm(&app->supervisor->loop, &app->stores_next);
	if (helper_running(&app->stores))
		return;
	r = sessions_start(app, app->active->sources, false, &app->stores, on_answer, on_end);
	if (r < 0) {
		log_errno(r, NOTICE_HELPER_FAILED, app->config.name,
		          "cannot ask the session store");
		answers_sessions_unasked(app, "the session store", r);
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

void sessions_release(struct app *app)
{
	if (!sessions_wanted(app) || app->supervisor->boot != BOOT_DONE ||
	    app->supervisor->stop != STOP_NONE)
		return;
	/* Masters that crash again and again must not put the question off. */
	if (clock_ms() >= app->release_until_ms)
		deadline_arm(&app->supervisor->loop, &app->stores_next, RELEASE_FIRST_MS);
	app->release_until_ms = clock_ms() + RELEASE_LAST_MS;
}

static void on_leave_answer(struct helper *helper, const void *data, size_t size)
{
	(void)helper;
	(void)data;
	(void)size;
}

static void on_left(struct helper *helper)
{
	(void)helper;
}

void sessions_leave(struct app *app)
{
	struct supervisor *s = app->supervisor;
	bool joined = app->store.members > 0;
	struct stores_query query = { .timeout_ms = LEAVE_MS, .total_ms = LEAVE_MS };
	struct question question = {
		.run = stores_leave,
		.query = &query,
		.power = POWER_NETWORK,
		.timeout_ms = LEAVE_MS,
	};

	sessions_stop(app);
	if (!joined)
		return;
	query.sources_fd = question.keep[question.keep_count++] = app->active->sources;
	fill_membership(s, &query.membership);
	app->stores.on_answer = on_leave_answer;
	app->stores.on_end = on_left;
	int r = helper_start(&app->stores, &s->loop, &s->inheritance, &question);
	if (r < 0)
		log_errno(r, NOTICE_MEMBER_KEY_LEFT, app->config.name,
		          "cannot delete the member key, it expires by itself");
}

void sessions_stop(struct app *app)
{
	deadline_disarm(&app->supervisor->loop, &app->stores_next);
	helper_stop(&app->stores);
	fd_close(&app->findings);
}

static void make_member_id(char id[MEMBER_ID_SIZE])
{
	struct text text = text_init(id, MEMBER_ID_SIZE);

	text_add(&text, "%016" PRIx64, random_number());
}

void sessions_init(struct app *app)
{
	app->stores.source.fd = FD_NONE;
	app->stores_next.on_due = on_due;
	app->findings = FD_NONE;
	if (app->index == 0)
		make_member_id(app->supervisor->member_id);
}
