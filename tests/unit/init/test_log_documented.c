/* The table of doc/log.md is what the log says: each name once, its level, and whether `on_event`
 * hears of it. */
#include <stdbool.h>
#include <stdio.h>

#include "../util/leaks.h"
#include "control/news.h"
#include "init/event_facts.h"
#include "util/notice.h"

enum { KNOWN_MAX = NEWS_COUNT + NOTICE_COUNT };

static struct known {
	const char *name;
	enum log_level level;
	bool told; /* to on_event */
	unsigned rows;
} known[KNOWN_MAX];
static size_t known_count;

static void learn(const char *name, enum log_level level, bool told)
{
	known[known_count++] = (struct known){ name, level, told, 0 };
}

static int learn_all(void **state)
{
	(void)state;
	known_count = 0;
	for (enum news_kind kind = 0; kind < NEWS_COUNT; kind++)
		if (news_is_logged(kind))
			learn(news_name(kind), news_level(kind), event_is_one(kind));
	for (enum notice notice = 0; notice < NOTICE_COUNT; notice++)
		learn(notice_name(notice), notice_level(notice), false);
	return 0;
}

static struct known *find(const char *name)
{
	for (size_t i = 0; i < known_count; i++)
		if (strcmp(known[i].name, name) == 0)
			return &known[i];
	return NULL;
}

/* "| `ready` * | info | ..." of the table that begins with this heading, one after the other. */
static void each_row(const char *page, const char *heading,
                     void (*check)(const char *name, const char *level, bool star))
{
	FILE *file = fopen(page, "re");
	char line[4096], name[64], level[64], star[2];
	bool inside = false;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		star[0] = '\0';
		if (line[0] != '|')
			inside = false;
		else if (text_begins(line, heading))
			inside = true;
		else if (inside && line[2] == '`') {
			if (sscanf(line, "| `%63[^`]` | %63s |", name, level) != 2 &&
			    sscanf(line, "| `%63[^`]` %1[*] | %63s |", name, star, level) != 3)
				fail_msg("%s: a row of another form: %s", page, line);
			check(name, level, star[0] != '\0');
		}
	}
	(void)fclose(file);
}

/* --- names --- */

static void test_names_are_unique_and_for_machines(void **state)
{
	(void)state;
	for (size_t i = 0; i < known_count; i++) {
		const char *name = known[i].name;

		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
		if (find(name) != &known[i])
			fail_msg("two events are called %s", name);
	}
}

/* --- doc/log.md --- */

static void check_row(const char *name, const char *level, bool star)
{
	struct known *event = find(name);

	if (!event)
		fail_msg("doc/log.md: no line of the log is called '%s'", name);
	if (strcmp(level, log_level_name(event->level)) != 0)
		fail_msg("doc/log.md: %s is '%s', not '%s'", name, log_level_name(event->level),
		         level);
	if (star != event->told)
		fail_msg("doc/log.md: %s is %stold to on_event", name, event->told ? "" : "not ");
	event->rows++;
}

static void test_the_page_about_the_log_has_each_event_once(void **state)
{
	(void)state;
	each_row("doc/log.md", "| event |", check_row);
	for (size_t i = 0; i < known_count; i++)
		if (known[i].rows != 1)
			fail_msg("doc/log.md has %u rows for %s", known[i].rows, known[i].name);
}

/* --- doc/events.md --- */

static void check_told(const char *name, const char *level, bool star)
{
	struct known *event = find(name);

	(void)star;
	if (!event || !event->told)
		fail_msg("doc/events.md: on_event is not told of '%s'", name);
	assert_string_equal(level, log_level_name(event->level));
	event->rows++;
}

static void test_the_page_about_on_event_has_what_it_is_told(void **state)
{
	(void)state;
	each_row("doc/events.md", "| `TWINIT_EVENT` |", check_told);
	for (size_t i = 0; i < known_count; i++)
		if (known[i].told && known[i].rows != 1)
			fail_msg("doc/events.md has %u rows for %s", known[i].rows, known[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_names_are_unique_and_for_machines, learn_all),
		cmocka_unit_test_setup(test_the_page_about_the_log_has_each_event_once, learn_all),
		cmocka_unit_test_setup(test_the_page_about_on_event_has_what_it_is_told, learn_all),
	};

	return cmocka_run_group_tests_name("init/log_documented", tests, NULL, NULL);
}
