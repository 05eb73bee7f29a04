#include "init/boot.h"

#include <errno.h>
#include <string.h>

#include "init/chain.h"
#include "init/generation.h"
#include "init/output.h"
#include "init/publisher.h"
#include "init/report.h"
#include "init/roll.h"
#include "init/sessions.h"
#include "init/shutdown.h"
#include "util/clock.h"

enum {
	ISOLATION_TIMEOUT_MS = 10000,
	CRASHES_MAX = 5, /* of a replica that was never ready, before the boot has failed */
};

static void fail(struct supervisor *s, int status, const struct app *app, const char *why)
{
	struct text said = TEXT(s->stop_why);

	text_add(&said, "%s: %s", app->config.name, why);
	log_write(NOTICE_BOOT_FAILED, app->config.name, "%s", why);
	shutdown_begin(s, status, false);
}

/* --- isolation --- */

static void on_isolation(struct helper *helper, const void *data, size_t size)
{
	struct app *app = container_of(helper, struct app, preflight);
	struct isolation_answer answer;

	if (size != sizeof(answer))
		return;
	memcpy(&answer, data, sizeof(answer));
	answer.why[sizeof(answer.why) - 1] = '\0';
	helper_stop(helper);
	app->preflight_answer = answer.ok && answer.pin <= PIN_PATH ? ANSWER_YES : ANSWER_NO;
	if (app->preflight_answer == ANSWER_YES)
		app->pin = answer.pin;
	text_copy_cut(app->pin_why, sizeof(app->pin_why), answer.why);
}

static void on_isolation_end(struct helper *helper)
{
	struct app *app = container_of(helper, struct app, preflight);

	app->preflight_answer = ANSWER_NO;
	text_copy_cut(app->pin_why, sizeof(app->pin_why),
	              helper->late ? "what isolation can be had was not found out within 10 s"
	                           : "the helper that tries what isolation can be had died");
}

static int ask_isolation(struct app *app)
{
	struct supervisor *s = app->supervisor;
	struct isolation_query query = {
		.wanted = s->config->isolation,
		.cover = run_dir_cover(&s->run),
		.path_possible = app->config.release[0] != '\0' && app->config.docroot_set,
	};
	struct question question = {
		.run = isolation_run,
		.query = &query,
		.power = POWER_TRIAL,
		.timeout_ms = ISOLATION_TIMEOUT_MS,
	};

	memcpy(query.link, app->config.release, sizeof(query.link));
	app->preflight_answer = ANSWER_PENDING;
	app->preflight.on_answer = on_isolation;
	app->preflight.on_end = on_isolation_end;
	return helper_start(&app->preflight, &s->loop, &s->inheritance, &question);
}

void boot_begin(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->app_count; i++) {
		int r = ask_isolation(&supervisor->apps[i]);

		if (r < 0 && supervisor->stop == STOP_NONE)
			fail(supervisor, EXIT_CONFIG, &supervisor->apps[i], child_trouble(r));
		if (r < 0)
			return;
	}
}

static void say_isolation(const struct app *app)
{
	if (app->config.release[0] == '\0')
		log_write(NOTICE_ISOLATION, app->config.name,
		          "code is in the image, no release to pin%s%s",
		          app->pin_why[0] ? "; " : "", app->pin_why);
	else
		log_write(app->pin == PIN_NONE ? NOTICE_ISOLATION_NONE : NOTICE_ISOLATION,
		          app->config.name, "isolation %s%s%s%s", pin_name(app->pin),
		          app->pin == PIN_NONE ? ", releases may mix" : "",
		          app->pin_why[0] ? "; " : "", app->pin_why);
}

/* --- steps --- */

/* Have all apps answered?  Fails the boot on a no. */
static bool all_answered(struct supervisor *s, bool isolation)
{
	bool all = true;

	for (size_t i = 0; i < s->app_count; i++) {
		struct app *app = &s->apps[i];

		if (app->preflight_answer == ANSWER_NO) {
			fail(s, EXIT_CONFIG, app, isolation ? app->pin_why : app->why);
			return false;
		}
		all = all && app->preflight_answer == ANSWER_YES;
	}
	return all;
}

static void from_isolation(struct supervisor *s)
{
	if (!all_answered(s, true))
		return;
	s->boot = BOOT_SETTINGS;
	for (size_t i = 0; i < s->app_count; i++) {
		say_isolation(&s->apps[i]);
		generation_begin(&s->apps[i]);
	}
}

static void on_sessions_late(struct deadline *deadline)
{
	container_of(deadline, struct supervisor, boot_limit)->boot_late = true;
}

static void from_settings(struct supervisor *s)
{
	if (!all_answered(s, false))
		return;
	s->boot = BOOT_SESSIONS;
	s->boot_limit.on_due = on_sessions_late;
	deadline_arm(&s->loop, &s->boot_limit, s->config->sessions.wait_ms);
	for (size_t i = 0; i < s->app_count; i++) {
		s->apps[i].active = s->apps[i].candidate;
		s->apps[i].config = s->apps[i].active->fpm.app;
		s->apps[i].candidate = NULL;
		if (sessions_wanted(&s->apps[i]))
			sessions_ask(&s->apps[i]);
	}
}

static int open_lanes(struct app *app)
{
	const struct generation *generation = app->active;
	const struct fpm_settings *settings = &generation->fpm.settings;

	app->steered = true;
	for (unsigned i = 0; i < settings->pool_count; i++) {
		struct address address = {
			.backlog = settings->pools[i].backlog,
			.owner = generation->fpm.owners[i].uid,
			.group = generation->fpm.owners[i].gid,
			.mode = settings->pools[i].listen_mode,
		};
		int r = address_parse(settings->pools[i].listen, &address);

		if (r >= 0)
			r = lanes_open(&app->lanes[i], &address);
		if (r < 0) {
			char why[WHY_SIZE];
			struct text text = TEXT(why);

			text_add(&text, "pool %s cannot listen on %s: %s%s",
			         settings->pools[i].name, settings->pools[i].listen, strerror(-r),
			         r == -EADDRINUSE
			                 ? "; another process, or another pool of ours, has "
			                   "this address; stop it or change listen"
			                 : "");
			fail(app->supervisor, EXIT_CONFIG, app, why);
			return r;
		}
		app->lanes_count++;
		app->steered = app->steered && app->lanes[i].steered;
	}
	if (!app->steered)
		log_write(NOTICE_NOT_STEERED, app->config.name,
		          "this kernel does not steer connections; old and new masters share "
		          "one socket during a roll, and a bad release may get visitors");
	return 0;
}

static void start_masters(struct supervisor *s)
{
	int r = output_prepare(s);

	if (r < 0) {
		log_errno(r, NOTICE_BOOT_FAILED, "", "cannot give the masters a stderr");
		shutdown_begin(s, EXIT_CONFIG, false);
		return;
	}
	for (size_t i = 0; i < s->app_count; i++)
		if (open_lanes(&s->apps[i]) < 0)
			return;
	s->boot = BOOT_MASTERS;
	for (size_t i = 0; i < s->app_count; i++) {
		publish_active(&s->apps[i]);
		roll_fill(&s->apps[i]);
	}
}

static void from_sessions(struct supervisor *s)
{
	for (size_t i = 0; i < s->app_count; i++) {
		struct app *app = &s->apps[i];

		if (sessions_well(app))
			continue;
		if (!s->boot_late || app->store_at_ms == 0)
			return;
		if (s->config->sessions.fail_health == FAIL_HEALTH_NEVER) {
			report_text(app, NEWS_SESSIONS_LOST, "%s", app->store.reason);
			continue;
		}
		fail(s, EXIT_SESSIONS, app, app->store.reason);
		return;
	}
	deadline_disarm(&s->loop, &s->boot_limit);
	start_masters(s);
}

/* A replica that is ready, none that still might become so: as good as it gets. */
static bool app_is_up(const struct app *app)
{
	bool ready = false;

	for (size_t i = 0; i < MASTERS_MAX; i++) {
		if (app->masters[i].state == MASTER_STARTING)
			return false;
		ready = ready || app->masters[i].state == MASTER_READY;
	}
	return ready;
}

static unsigned ready_replicas(const struct app *app)
{
	unsigned n = 0;

	for (size_t i = 0; i < MASTERS_MAX; i++)
		n += app->masters[i].state == MASTER_READY;
	return n;
}

static bool app_has_failed(const struct app *app, const char **why)
{
	for (size_t i = 0; i < MASTERS_MAX; i++) {
		if (app->masters[i].state == MASTER_READY)
			return false;
		if (app->masters[i].crashes >= CRASHES_MAX)
			*why = app->masters[i].why;
	}
	return *why != NULL;
}

/* Fails the boot when replicas of an app keep crashing. */
static bool some_app_has_failed(struct supervisor *s)
{
	for (size_t i = 0; i < s->app_count; i++) {
		char sentence[WHY_SIZE];
		struct text text = TEXT(sentence);
		const char *why = NULL;

		if (!app_has_failed(&s->apps[i], &why))
			continue;
		text_add(&text, "no replica stays up, giving up; the last one %s", why);
		fail(s, EXIT_CRASHING, &s->apps[i], sentence);
		return true;
	}
	return false;
}

static void from_masters(struct supervisor *s)
{
	if (some_app_has_failed(s))
		return;
	for (size_t i = 0; i < s->app_count; i++)
		if (!app_is_up(&s->apps[i]))
			return;
	/* A store that was given up (fail_health = never) is not waited for once more. */
	if (!s->boot_late || s->config->sessions.fail_health != FAIL_HEALTH_NEVER) {
		s->boot_late = false;
		deadline_arm(&s->loop, &s->boot_limit, s->config->sessions.wait_ms);
	}
	s->boot = BOOT_PROOF;
	for (size_t i = 0; i < s->app_count; i++)
		chain_ask(&s->apps[i], GROUP_ACTIVE);
}

/* False when the boot has to wait, or has failed. */
static bool proof_will_do(struct supervisor *s, struct app *app)
{
	if (app->proof != ANSWER_NO)
		return app->proof == ANSWER_YES;
	if (!s->boot_late) {
		chain_ask_again(app);
		return false;
	}
	if (s->config->sessions.fail_health != FAIL_HEALTH_NEVER) {
		fail(s, EXIT_SESSIONS, app, app->why);
		return false;
	}
	report_text(app, NEWS_SESSIONS_DOUBT, "%s", app->why);
	app->proof = ANSWER_YES;
	return true;
}

static void from_proof(struct supervisor *s)
{
	struct news news = { .kind = NEWS_READY };
	bool all = true;

	if (some_app_has_failed(s))
		return;
	/* Each is asked again in its turn, whatever the ones before it have to say. */
	for (size_t i = 0; i < s->app_count && s->stop == STOP_NONE; i++) {
		all = proof_will_do(s, &s->apps[i]) && all;
		news.count += ready_replicas(&s->apps[i]);
	}
	if (!all)
		return;
	deadline_disarm(&s->loop, &s->boot_limit);
	s->boot = BOOT_DONE;
	news.ms = (uint32_t)(clock_ms() - s->started_ms);
	report(s, &news);
	for (size_t i = 0; i < s->app_count; i++) {
		s->apps[i].why[0] = '\0';
		if (sessions_wanted(&s->apps[i]))
			deadline_arm(&s->loop, &s->apps[i].stores_next,
			             s->config->sessions.every_ms);
	}
}

void boot_advance(struct supervisor *supervisor)
{
	static void (*const steps[])(struct supervisor *) = {
		[BOOT_ISOLATION] = from_isolation, [BOOT_SETTINGS] = from_settings,
		[BOOT_SESSIONS] = from_sessions,   [BOOT_MASTERS] = from_masters,
		[BOOT_PROOF] = from_proof,
	};
	enum boot_step before;

	do {
		before = supervisor->boot;
		if (supervisor->stop == STOP_NONE && before != BOOT_DONE)
			steps[before](supervisor);
	} while (supervisor->boot != before);
}
