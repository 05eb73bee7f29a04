#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fpm/deaths.h"
#include "util/macros.h"

#define WARNING "[21-Nov-2026 16:49:51] WARNING: [pool www] "

static const struct row {
	const char *line;
	unsigned deaths;
} rows[] = {
	{ WARNING "child 51 exited on signal 11 (SIGSEGV) after 0.188721 seconds from start\n", 1 },
	{ WARNING
	  "child 51 exited on signal 11 (SIGSEGV - core dumped) after 3.1 seconds from start\n",
	  1 },
	{ WARNING "child 51 exited on signal 9 (SIGKILL) after 0.1 seconds from start\n", 0 },
	{ WARNING "child 51 exited on signal 6 (SIGABRT) after 0.1 seconds from start\n", 1 },
	{ WARNING "child 51 exited with code 255 after 0.1 seconds from start\n", 1 },
	{ WARNING "child 51 exited with code 0 after 0.1 seconds from start\n", 0 },
	{ WARNING "child 51 exited on signal 3 (SIGQUIT) after 0.1 seconds from start\n", 0 },
	{ WARNING "child 51 exited on signal 15 (SIGTERM) after 0.1 seconds from start\n", 0 },
	{ WARNING "child 51 exited on signal x\n", 0 },
	{ "NOTICE: [pool www] child 51 started\n", 0 },
	{ "what exited on signal 11 is said elsewhere\n", 0 },
	{ WARNING "child 51 exited on signal 11 (SIGSEGV)", 0 },
	{ "\n\n", 0 },
	{ "", 0 },
};

static void test_each_line(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct deaths deaths = { 0 };
		unsigned n = deaths_feed(&deaths, rows[i].line, strlen(rows[i].line));

		if (n != rows[i].deaths)
			fail_msg("%s: got %u", rows[i].line, n);
	}
}

static void test_all_of_them_in_any_pieces(void **state)
{
	char log[4096] = "";
	unsigned wanted = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strchr(rows[i].line, '\n')) {
			strcat(log, rows[i].line);
			wanted += rows[i].deaths;
		}
	}
	for (size_t piece = 1; piece < strlen(log); piece++) {
		struct deaths deaths = { 0 };
		unsigned n = 0;

		for (size_t at = 0; at < strlen(log); at += piece)
			n += deaths_feed(&deaths, log + at,
			                 piece < strlen(log) - at ? piece : strlen(log) - at);
		if (n != wanted)
			fail_msg("in pieces of %zu: got %u, not %u", piece, n, wanted);
	}
}

static void test_a_long_line_is_one_line(void **state)
{
	struct deaths deaths = { 0 };
	char line[10000];

	(void)state;
	memset(line, 'x', sizeof(line));
	assert_int_equal(deaths_feed(&deaths, line, sizeof(line)), 0);
	assert_int_equal(deaths_feed(&deaths, rows[0].line, strlen(rows[0].line)), 0);
	assert_int_equal(deaths_feed(&deaths, rows[0].line, strlen(rows[0].line)), 1);
}

static void test_a_zero_hides_nothing(void **state)
{
	static const char line[] = "\0" WARNING "child 1 exited on signal 11 (SIGSEGV)\n";
	struct deaths deaths = { 0 };

	(void)state;
	assert_int_equal(deaths_feed(&deaths, line, sizeof(line) - 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_line),
		cmocka_unit_test(test_all_of_them_in_any_pieces),
		cmocka_unit_test(test_a_long_line_is_one_line),
		cmocka_unit_test(test_a_zero_hides_nothing),
	};

	return cmocka_run_group_tests_name("fpm/deaths", tests, NULL, NULL);
}
