#include "init/shutdown.h"

#include <string.h>

#include "init/deploy.h"
#include "init/lane_choice.h"
#include "init/master.h"
#include "init/masters.h"
#include "init/report.h"
#include "init/roll.h"
#include "init/sessions.h"
#include "init/stray.h"
#include "util/clock.h"

enum { CUT_MS = 1000 }; /* what SIGTERM is given before SIGKILL when all shall end at once */

static uint32_t longest(const struct supervisor *s, size_t offset)
{
	uint32_t most = 0;

	for (size_t i = 0; i < s->app_count; i++) {
		uint32_t value;

		memcpy(&value, (const char *)&s->apps[i].config + offset, sizeof(value));
		if (value > most)
			most = value;
	}
	return most;
}

static void deliver_all(struct app *app, enum master_event event)
{
	for (size_t i = 0; i < MASTERS_MAX; i++)
		master_deliver(&app->masters[i], event);
}

static void hurry_all(struct app *app)
{
	for (size_t i = 0; i < MASTERS_MAX; i++)
		master_hurry(&app->masters[i]);
}

static void drain_app(struct app *app)
{
	for (unsigned i = 0; i < app->lanes_count; i++) {
		int r = lanes_refuse_new(&app->lanes[i]);

		if (r < 0)
			log_errno(r, NOTICE_LANES_STAY_OPEN, app->config.name,
			          "cannot turn new connections away, ignoring");
	}
	deliver_all(app, EVENT_DRAIN);
}

static void on_quiet_over(struct deadline *deadline)
{
	struct supervisor *s = container_of(deadline, struct supervisor, stop_next);

	s->stop = STOP_DRAIN;
	for (size_t i = 0; i < s->app_count; i++)
		drain_app(&s->apps[i]);
}

/* The last word: whatever is still there has had its time. */
static void on_limit(struct deadline *deadline)
{
	struct supervisor *s = container_of(deadline, struct supervisor, stop_limit);

	log_write(NOTICE_STOP_TIMEOUT, "", "stop_timeout is over, killing what is left");
	masters_kill_all(s);
	s->done = true;
}

static void cut(struct supervisor *s)
{
	deadline_disarm(&s->loop, &s->stop_next);
	deadline_arm(&s->loop, &s->stop_limit, 2 * CUT_MS);
	s->stop = STOP_DRAIN;
	s->cutting = true;
	s->stop_at_ms = clock_ms() + CUT_MS;
	events_end_at(s, s->stop_at_ms);
	for (size_t i = 0; i < s->app_count; i++) {
		deliver_all(&s->apps[i], EVENT_STOP);
		hurry_all(&s->apps[i]);
		/* From quitting to terminating at once. */
		for (size_t m = 0; m < MASTERS_MAX; m++)
			if (s->apps[i].masters[m].state == MASTER_QUITTING)
				master_deliver(&s->apps[i].masters[m], EVENT_DEADLINE);
	}
}

/* It comes out of stop_timeout, most of which the drain must have. */
static uint32_t quiet_ms(const struct supervisor *s)
{
	uint32_t quiet = longest(s, offsetof(struct app_config, quiet_ms));
	uint32_t most = longest(s, offsetof(struct app_config, stop_timeout_ms)) / 4;

	return quiet < most ? quiet : most;
}

static void begin(struct supervisor *s, int exit_status)
{
	uint32_t limit = longest(s, offsetof(struct app_config, stop_timeout_ms));
	struct news news = { .kind = NEWS_STOPPING, .ms = limit, .count = (uint32_t)exit_status };

	s->exit_status = exit_status;
	s->stop_at_ms = clock_ms() + limit;
	s->stop_next.on_due = on_quiet_over;
	s->stop_limit.on_due = on_limit;
	s->stop = STOP_QUIET;
	deadline_arm(&s->loop, &s->stop_limit, limit);
	text_copy_cut(news.text, sizeof(news.text), s->stop_why);
	if (exit_status == EXIT_STOPPED)
		report(s, &news);
	else
		events_tell(s, &news); /* the log has the reason already */
	events_end_at(s, s->stop_at_ms);
	for (size_t i = 0; i < s->app_count; i++) {
		roll_cancel(&s->apps[i]);
		sessions_leave(&s->apps[i]);
		hurry_all(&s->apps[i]);
	}
}

void shutdown_begin(struct supervisor *supervisor, int exit_status, bool drain)
{
	struct supervisor *s = supervisor;

	if (s->stop != STOP_NONE) {
		cut(s);
		return;
	}
	begin(s, exit_status);
	/* Replicas that prove their sessions may have visitors already. */
	if (drain && s->boot >= BOOT_PROOF)
		deadline_arm(&s->loop, &s->stop_next, quiet_ms(s));
	else
		cut(s);
}

static bool app_is_empty(const struct app *app, bool with_queue)
{
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (app->masters[i].state != MASTER_GONE)
			return false;
	for (unsigned lane = 0; with_queue && lane < LANE_COUNT; lane++)
		if (!lane_empty(app, lane))
			return false;
	return true;
}

void shutdown_advance(struct supervisor *supervisor)
{
	struct supervisor *s = supervisor;
	/* A connection that slipped in before the filter is served by a rescue master, unless we
	 * were told to leave at once. */
	bool with_queue = !s->cutting;

	if (s->stop != STOP_DRAIN || strays_left(s))
		return;
	for (size_t i = 0; i < s->app_count; i++)
		if (!app_is_empty(&s->apps[i], with_queue) || deploy_busy(&s->apps[i]))
			return;
	s->done = !events_busy(s);
}
