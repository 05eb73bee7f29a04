#include "init/event_facts.h"

#include <assert.h>
#include <inttypes.h>
#include <unistd.h>

#include "util/date.h"

enum {
	REPLICA = 1 << 0,
	LANE = 1 << 1,
	RELEASE = 1 << 2,
	PREVIOUS = 1 << 3,
	REPLICAS = 1 << 4,
	MS = 1 << 5,
	CUT = 1 << 6,
	STATUS = 1 << 7,
	WHY = 1 << 8,
};

/* doc/events.md has the same table; no row: the program is not told. */
static const unsigned facts_of[NEWS_COUNT] = {
	[NEWS_READY] = REPLICAS | MS,
	[NEWS_ROLL_STARTED] = RELEASE | PREVIOUS,
	[NEWS_ROLL_DONE] = RELEASE | REPLICAS | MS | CUT,
	[NEWS_ROLL_REFUSED] = RELEASE | WHY,
	[NEWS_ROLL_FAILED] = RELEASE | MS | WHY,
	[NEWS_ROLL_TAKEN_BACK] = RELEASE | MS | CUT | WHY,
	[NEWS_REPLICA_CRASHED] = REPLICA | MS | WHY,
	[NEWS_REPLICA_BACK] = REPLICA | LANE | MS,
	[NEWS_LANE_LOST] = LANE | WHY,
	[NEWS_SESSIONS_LOST] = WHY,
	[NEWS_SESSIONS_BACK] = WHY,
	[NEWS_SESSIONS_DOUBT] = WHY,
	[NEWS_STOPPING] = MS | STATUS | WHY,
};

bool event_is_one(enum news_kind kind)
{
	assert(kind < NEWS_COUNT);
	return facts_of[kind] != 0;
}

/* A place to write the next value to. */
static struct text add(struct notify_query *query, const char *key, bool number)
{
	struct notify_fact *fact = &query->facts[query->fact_count++];

	assert(query->fact_count <= NOTIFY_FACTS_MAX);
	text_copy_cut(fact->key, sizeof(fact->key), key);
	fact->number = number;
	return TEXT(fact->value);
}

static void add_words(struct notify_query *query, const char *key, const char *words)
{
	struct text value = add(query, key, false);

	text_add(&value, "%s", words);
}

static void add_number(struct notify_query *query, const char *key, unsigned number)
{
	struct text value = add(query, key, true);

	text_add(&value, "%u", number);
}

static void add_time(struct notify_query *query, uint64_t at_ms)
{
	struct text value = add(query, "time", false);

	date_add(&value, at_ms / 1000);
	text_add(&value, ".%03uZ", (unsigned)(at_ms % 1000));
}

static void add_hostname(struct notify_query *query)
{
	char name[256];

	/* What does not fit may have no end (gethostname(2)). */
	if (gethostname(name, sizeof(name) - 1) < 0)
		name[0] = '\0';
	name[sizeof(name) - 1] = '\0';
	add_words(query, "hostname", name);
}

static void add_common(const struct event *event, struct notify_query *query)
{
	const struct news *news = &event->news;

	add_words(query, "event", news_name(news->kind));
	add_words(query, "level", log_level_name(news_level(news->kind)));
	add_number(query, "number", event->number);
	add_number(query, "dropped", event->dropped);
	add_time(query, event->at_ms);
	add_hostname(query);
	add_words(query, "app", news->app);
	struct text text = add(query, "text", false);
	news_text(news, &text);
}

static void add_lane(struct notify_query *query, unsigned lane)
{
	const char name[] = { (char)('A' + lane), '\0' };

	add_words(query, "lane", name);
}

void event_facts(const struct event *event, struct notify_query *query)
{
	const struct news *news = &event->news;
	unsigned facts = facts_of[news->kind];

	query->fact_count = 0;
	add_common(event, query);
	if (facts & RELEASE)
		add_words(query, "release", news->release);
	if (facts & PREVIOUS)
		add_words(query, "previous", news->previous);
	if (facts & REPLICA)
		add_number(query, "replica", news->replica);
	if (facts & LANE)
		add_lane(query, news->lane);
	if (facts & REPLICAS)
		add_number(query, "replicas", news->count);
	if (facts & STATUS)
		add_number(query, "status", news->count);
	if (facts & MS)
		add_number(query, "ms", news->ms);
	if (facts & CUT)
		add_number(query, "cut", news->cut);
	if (facts & WHY)
		add_words(query, "why", news->text);
}
