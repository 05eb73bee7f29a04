#include "control/news.h"

#include <assert.h>

#include "util/macros.h"

/* "34 ms", "1.2 s" */
static void add_time(struct text *line, uint32_t ms)
{
	if (ms < 1000)
		text_add(line, "%u ms", ms);
	else
		text_add(line, "%u.%u s", ms / 1000, ms % 1000 / 100);
}

static void add_count(struct text *line, uint32_t count, const char *noun)
{
	text_add(line, "%u %s%s", count, noun, count == 1 ? "" : "s");
}

static void ready(const struct news *n, struct text *line)
{
	text_add(line, "ready: ");
	add_count(line, n->count, "replica");
	text_add(line, " in ");
	add_time(line, n->ms);
}

static void roll_started(const struct news *n, struct text *line)
{
	text_add(line, "release %s -> %s", n->previous, n->release);
}

static void roll_remembered(const struct news *n, struct text *line)
{
	(void)n;
	text_add(line, "not now; one more roll will follow what is under way");
}

static void replica_starting(const struct news *n, struct text *line)
{
	text_add(line, "starting replica %u on lane %c ...", n->replica, (char)('A' + n->lane));
}

static void replica_ready(const struct news *n, struct text *line)
{
	replica_starting(n, line);
	text_add(line, " ready in ");
	add_time(line, n->ms);
	text_add(line, "%s", n->text);
}

static void replica_back(const struct news *n, struct text *line)
{
	replica_ready(n, line);
	text_add(line, ", after a crash");
}

static void cold(const struct news *n, struct text *line)
{
	text_add(line, "warm-up: %s", n->text);
}

static void replica_failed(const struct news *n, struct text *line)
{
	text_add(line, "replica %u failed: %s", n->replica, n->text);
}

static void replica_crashed(const struct news *n, struct text *line)
{
	text_add(line, "replica %u: %s; starting it again in ", n->replica, n->text);
	add_time(line, n->ms);
}

static void pointed(const struct news *n, struct text *line)
{
	text_add(line, "%s", n->text);
}

static void replica_stopping(const struct news *n, struct text *line)
{
	text_add(line, "stopping replica %u ...", n->replica);
}

static void replica_stopped(const struct news *n, struct text *line)
{
	replica_stopping(n, line);
	text_add(line, " stopped");
}

static void cutover(const struct news *n, struct text *line)
{
	text_add(line, "cutover to release %s", n->release);
}

static void watching(const struct news *n, struct text *line)
{
	text_add(line, "watching release %s for ", n->release);
	add_time(line, n->ms);
	text_add(line, "; until then `twinit rollback` goes back at once");
}

static void back(const struct news *n, struct text *line)
{
	text_add(line, "back from release %s to %s: %s", n->previous, n->release, n->text);
}

static void draining(const struct news *n, struct text *line)
{
	text_add(line, "draining release %s ... ", n->release);
	add_count(line, n->count, "request");
}

static void drain_late(const struct news *n, struct text *line)
{
	text_add(line, "draining release %s took too long with ", n->release);
	add_count(line, n->count, "request");
	text_add(line, " left%s%s; ending it", n->text[0] ? ", " : "", n->text);
}

static void drained(const struct news *n, struct text *line)
{
	text_add(line, "draining release %s ... done in ", n->release);
	add_time(line, n->ms);
}

static void rescue(const struct news *n, struct text *line)
{
	text_add(line, "a late connection waits on lane %c: starting a rescue master",
	         (char)('A' + n->lane));
}

static void lane_lost(const struct news *n, struct text *line)
{
	text_add(line, "a process of PHP shut down the listening socket of lane %c: %s",
	         (char)('A' + n->lane), n->text);
}

static void rescued(const struct news *n, struct text *line)
{
	text_add(line, "what waited on lane %c is served after ", (char)('A' + n->lane));
	add_time(line, n->ms);
}

static void roll_done(const struct news *n, struct text *line)
{
	text_add(line, "release %s is active on ", n->release);
	add_count(line, n->count, "replica");
	text_add(line, " (");
	add_time(line, n->ms);
	text_add(line, ", ");
	add_count(line, n->cut, "request");
	text_add(line, " cut)");
}

static void roll_refused(const struct news *n, struct text *line)
{
	text_add(line, "roll refused, nothing was touched: %s", n->text);
}

static void roll_failed(const struct news *n, struct text *line)
{
	text_add(line, "roll failed, release %s serves on: %s", n->release, n->text);
}

static void roll_taken_back(const struct news *n, struct text *line)
{
	text_add(line, "roll taken back, release %s serves again (", n->release);
	add_time(line, n->ms);
	text_add(line, ", ");
	add_count(line, n->cut, "request");
	text_add(line, " cut): %s", n->text);
}

static void sessions_lost(const struct news *n, struct text *line)
{
	text_add(line, "session store lost, serving on without it: %s", n->text);
}

static void sessions_back(const struct news *n, struct text *line)
{
	text_add(line, "session store is well: %s", n->text);
}

static void sessions_doubt(const struct news *n, struct text *line)
{
	text_add(line, "sessions: %s", n->text);
}

static void stopping(const struct news *n, struct text *line)
{
	text_add(line, "stopping, within ");
	add_time(line, n->ms);
}

static const struct {
	const char *name;
	enum log_level level;
	void (*render)(const struct news *, struct text *);
} kinds[] = {
	[NEWS_READY] = { "ready", LOG_INFO, ready },
	[NEWS_ROLL_STARTED] = { "roll-started", LOG_INFO, roll_started },
	[NEWS_ROLL_REMEMBERED] = { "roll-remembered", LOG_INFO, roll_remembered },
	[NEWS_REPLICA_STARTING] = { "replica-starting", LOG_INFO, replica_starting },
	[NEWS_REPLICA_READY] = { "replica-ready", LOG_INFO, replica_ready },
	[NEWS_REPLICA_BACK] = { "replica-back", LOG_INFO, replica_back },
	[NEWS_COLD] = { "cold", LOG_WARNING, cold },
	[NEWS_REPLICA_FAILED] = { "replica-failed", LOG_ERROR, replica_failed },
	[NEWS_REPLICA_CRASHED] = { "replica-crashed", LOG_WARNING, replica_crashed },
	[NEWS_POINTED] = { "pointed", LOG_INFO, pointed },
	[NEWS_REPLICA_STOPPING] = { "replica-stopping", LOG_INFO, replica_stopping },
	[NEWS_REPLICA_STOPPED] = { "replica-stopped", LOG_INFO, replica_stopped },
	[NEWS_CUTOVER] = { "cutover", LOG_INFO, cutover },
	[NEWS_WATCHING] = { "watching", LOG_INFO, watching },
	[NEWS_BACK] = { "back", LOG_ERROR, back },
	[NEWS_DRAINING] = { "draining", LOG_INFO, draining },
	[NEWS_DRAIN_LATE] = { "drain-late", LOG_WARNING, drain_late },
	[NEWS_DRAINED] = { "drained", LOG_INFO, drained },
	[NEWS_RESCUE] = { "rescue", LOG_INFO, rescue },
	[NEWS_LANE_LOST] = { "lane-lost", LOG_ERROR, lane_lost },
	[NEWS_RESCUED] = { "rescued", LOG_INFO, rescued },
	[NEWS_ROLL_DONE] = { "roll-done", LOG_INFO, roll_done },
	[NEWS_ROLL_REFUSED] = { "roll-refused", LOG_ERROR, roll_refused },
	[NEWS_ROLL_FAILED] = { "roll-failed", LOG_ERROR, roll_failed },
	[NEWS_ROLL_TAKEN_BACK] = { "roll-taken-back", LOG_ERROR, roll_taken_back },
	[NEWS_SESSIONS_LOST] = { "sessions-lost", LOG_WARNING, sessions_lost },
	[NEWS_SESSIONS_BACK] = { "sessions-back", LOG_INFO, sessions_back },
	[NEWS_SESSIONS_DOUBT] = { "sessions-doubt", LOG_WARNING, sessions_doubt },
	[NEWS_STOPPING] = { "stopping", LOG_INFO, stopping },
};
_Static_assert(ARRAY_SIZE(kinds) == NEWS_COUNT, "a kind of news has no row");

const char *news_name(enum news_kind kind)
{
	assert(kind < NEWS_COUNT);
	return kinds[kind].name;
}

enum log_level news_level(enum news_kind kind)
{
	assert(kind < NEWS_COUNT);
	return kinds[kind].level;
}

bool news_is_logged(enum news_kind kind)
{
	return kind != NEWS_REPLICA_STARTING && kind != NEWS_REPLICA_STOPPING;
}

void news_text(const struct news *news, struct text *line)
{
	assert(news->kind < NEWS_COUNT);
	if (news->app[0] != '\0')
		text_add(line, "%s: ", news->app);
	kinds[news->kind].render(news, line);
}
