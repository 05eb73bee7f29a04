#include <stdbool.h>

#include "../util/leaks.h"
#include "control/news.h"

/* clang-format off */
static const struct {
	struct news news;
	const char *name;
	enum log_level level;
	const char *text;
} rows[] = {
	{ { .kind = NEWS_READY, .count = 2, .ms = 34 },
	  "ready", LOG_INFO, "ready: 2 replicas in 34 ms" },
	{ { .kind = NEWS_READY, .count = 1, .ms = 1250 },
	  "ready", LOG_INFO, "ready: 1 replica in 1.2 s" },
	{ { .kind = NEWS_ROLL_STARTED, .app = "shop", .previous = "41", .release = "42" },
	  "roll-started", LOG_INFO, "shop: release 41 -> 42" },
	{ { .kind = NEWS_ROLL_REMEMBERED, .app = "shop" },
	  "roll-remembered", LOG_INFO, "shop: not now; one more roll will follow what is under way" },
	{ { .kind = NEWS_REPLICA_STARTING, .app = "shop", .replica = 2, .lane = 1 },
	  "replica-starting", LOG_INFO, "shop: starting replica 2 on lane B ..." },
	{ { .kind = NEWS_REPLICA_READY, .app = "shop", .replica = 2, .lane = 0, .ms = 999 },
	  "replica-ready", LOG_INFO, "shop: starting replica 2 on lane A ... ready in 999 ms" },
	{ { NEWS_REPLICA_READY, "www", .replica = 1, .ms = 34, .text = ", health 200, warm 6 of 6" },
	  "replica-ready", LOG_INFO, "www: starting replica 1 on lane A ... ready in 34 ms, health 200, warm 6 of 6" },
	{ { .kind = NEWS_REPLICA_BACK, .app = "shop", .replica = 2, .lane = 1, .ms = 34 },
	  "replica-back", LOG_INFO, "shop: starting replica 2 on lane B ... ready in 34 ms, after a crash" },
	{ { NEWS_COLD, "www", .text = "replica 1: /a.php answered 500" },
	  "cold", LOG_WARNING, "www: warm-up: replica 1: /a.php answered 500" },
	{ { .kind = NEWS_REPLICA_FAILED, .app = "shop", .replica = 2, .text = "it did not answer" },
	  "replica-failed", LOG_ERROR, "shop: replica 2 failed: it did not answer" },
	{ { .kind = NEWS_REPLICA_CRASHED, .app = "shop", .replica = 1, .text = "exit status 70", .ms = 100 },
	  "replica-crashed", LOG_WARNING, "shop: replica 1: exit status 70; starting it again in 100 ms" },
	{ { NEWS_POINTED, "www", .text = "/srv/current -> releases/42 (was releases/41)" },
	  "pointed", LOG_INFO, "www: /srv/current -> releases/42 (was releases/41)" },
	{ { NEWS_REPLICA_STOPPING, "www", .replica = 2 },
	  "replica-stopping", LOG_INFO, "www: stopping replica 2 ..." },
	{ { NEWS_REPLICA_STOPPED, "www", .replica = 2 },
	  "replica-stopped", LOG_INFO, "www: stopping replica 2 ... stopped" },
	{ { .kind = NEWS_CUTOVER, .app = "shop", .release = "42" },
	  "cutover", LOG_INFO, "shop: cutover to release 42" },
	{ { NEWS_POINTED, "www", .text = "/srv/app/current -> releases/42 (was releases/41)" },
	  "pointed", LOG_INFO, "www: /srv/app/current -> releases/42 (was releases/41)" },
	{ { NEWS_REPLICA_STOPPING, "www", .replica = 2 },
	  "replica-stopping", LOG_INFO, "www: stopping replica 2 ..." },
	{ { NEWS_REPLICA_STOPPED, "www", .replica = 2 },
	  "replica-stopped", LOG_INFO, "www: stopping replica 2 ... stopped" },
	{ { NEWS_WATCHING, "www", .release = "42", .ms = 60000 },
	  "watching", LOG_INFO, "www: watching release 42 for 60.0 s; until then `twinit rollback` goes back at once" },
	{ { NEWS_BACK, "www", .previous = "42", .release = "41", .text = "replica 1 died" },
	  "back", LOG_ERROR, "www: back from release 42 to 41: replica 1 died" },
	{ { NEWS_ROLL_TAKEN_BACK, "www", .release = "41", .ms = 1200, .cut = 1, .text = "replica 1 died" },
	  "roll-taken-back", LOG_ERROR, "www: roll taken back, release 41 serves again (1.2 s, 1 request cut): replica 1 died" },
	{ { .kind = NEWS_DRAINING, .app = "shop", .release = "41", .count = 0 },
	  "draining", LOG_INFO, "shop: draining release 41 ... 0 requests" },
	{ { .kind = NEWS_DRAIN_LATE, .app = "shop", .release = "41", .count = 1 },
	  "drain-late", LOG_WARNING, "shop: draining release 41 took too long with 1 request left; ending it" },
	{ { .kind = NEWS_DRAIN_LATE, .app = "shop", .release = "41", .count = 3, .text = "pid 7 runs" },
	  "drain-late", LOG_WARNING, "shop: draining release 41 took too long with 3 requests left, pid 7 runs; ending it" },
	{ { .kind = NEWS_DRAINED, .app = "shop", .release = "41", .ms = 60000 },
	  "drained", LOG_INFO, "shop: draining release 41 ... done in 60.0 s" },
	{ { .kind = NEWS_RESCUE, .app = "shop", .lane = 3 },
	  "rescue", LOG_INFO, "shop: a late connection waits on lane D: starting a rescue master" },
	{ { .kind = NEWS_LANE_LOST, .app = "shop", .lane = 1, .text = "moving to another one" },
	  "lane-lost", LOG_ERROR, "shop: a process of PHP shut down the listening socket of lane B: moving to another one" },
	{ { .kind = NEWS_RESCUED, .app = "shop", .lane = 3, .ms = 1000 },
	  "rescued", LOG_INFO, "shop: what waited on lane D is served after 1.0 s" },
	{ { .kind = NEWS_ROLL_DONE, .app = "shop", .release = "42", .count = 2, .ms = 4321, .cut = 1 },
	  "roll-done", LOG_INFO, "shop: release 42 is active on 2 replicas (4.3 s, 1 request cut)" },
	{ { .kind = NEWS_ROLL_REFUSED, .app = "shop", .text = "no release" },
	  "roll-refused", LOG_ERROR, "shop: roll refused, nothing was touched: no release" },
	{ { .kind = NEWS_ROLL_FAILED, .app = "shop", .release = "41", .text = "replica 1 died" },
	  "roll-failed", LOG_ERROR, "shop: roll failed, release 41 serves on: replica 1 died" },
	{ { .kind = NEWS_SESSIONS_LOST, .app = "shop", .text = "connection refused" },
	  "sessions-lost", LOG_WARNING, "shop: session store lost, serving on without it: connection refused" },
	{ { .kind = NEWS_SESSIONS_BACK, .app = "shop", .text = "redis:6379" },
	  "sessions-back", LOG_INFO, "shop: session store is well: redis:6379" },
	{ { .kind = NEWS_SESSIONS_DOUBT, .app = "shop", .text = "it evicts" },
	  "sessions-doubt", LOG_WARNING, "shop: sessions: it evicts" },
	{ { .kind = NEWS_STOPPING, .ms = 30000 },
	  "stopping", LOG_INFO, "stopping, within 30.0 s" },
};
/* clang-format on */

static void test_each_row(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct news *news = &rows[i].news;
		char buffer[1024];
		struct text line = TEXT(buffer);

		news_text(news, &line);
		if (strcmp(buffer, rows[i].text) != 0)
			fail_msg("wanted %s\n   got %s", rows[i].text, buffer);
		assert_string_equal(news_name(news->kind), rows[i].name);
		assert_int_equal(news_level(news->kind), rows[i].level);
	}
}

static void test_each_kind_has_a_row(void **state)
{
	(void)state;

	for (enum news_kind kind = 0; kind < NEWS_COUNT; kind++) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			found = found || rows[i].news.kind == kind;
		if (!found)
			fail_msg("%s has none", news_name(kind));
	}
}

static void test_names_are_unique_and_for_machines(void **state)
{
	(void)state;

	for (enum news_kind kind = 0; kind < NEWS_COUNT; kind++) {
		const char *name = news_name(kind);

		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
		for (enum news_kind other = 0; other < kind; other++)
			assert_string_not_equal(name, news_name(other));
	}
}

static void test_a_short_line_is_cut(void **state)
{
	char buffer[12];
	struct text line = TEXT(buffer);

	(void)state;
	news_text(&rows[2].news, &line);
	assert_string_equal(buffer, "shop: relea");
	assert_true(line.cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_row),
		TEST(test_each_kind_has_a_row),
		TEST(test_names_are_unique_and_for_machines),
		TEST(test_a_short_line_is_cut),
	};

	return cmocka_run_group_tests_name("control/news", tests, NULL, NULL);
}
