#include <fcntl.h>

#include "../util/leaks.h"
#include "cli/order.h"
#include "util/macros.h"

enum { WORDS_MAX = 6, USAGE = 64 };

static const struct row {
	const char *words[WORDS_MAX];
	int result;
	struct wire_request request;
} rows[] = {
	{ { NULL }, 0, { 0 } },
	{ { "all" }, 0, { .all = 1 } },
	{ { "www" }, 0, { .app = "www" } },
	{ { "www", "2" }, 0, { .app = "www", .replica = 2 } },
	{ { "--force", "www", "--no-wait" }, 0, { .force = 1, .no_wait = 1, .app = "www" } },
	{ { "--no-wait", "--wait" }, 0, { 0 } },
	{ { "a-name-that-is-longer-than-the-sixty-three-letters-an-app-may-have" }, USAGE, { 0 } },
	{ { "www", "0" }, USAGE, { .app = "www" } },
	{ { "www", "5" }, USAGE, { .app = "www" } },
	{ { "www", "11" }, USAGE, { .app = "www" } },
	{ { "www", "two" }, USAGE, { .app = "www" } },
	{ { "www", "1", "2" }, USAGE, { .app = "www", .replica = 1 } },
	{ { "all", "1" }, USAGE, { .all = 1 } },
	{ { "--forced" }, USAGE, { 0 } },
};

static int parse(const struct row *row, bool options, struct wire_request *request)
{
	char words[WORDS_MAX][80], *argv[WORDS_MAX + 2] = { (char *)"restart" };
	int argc = 1;

	for (; argc <= WORDS_MAX && row->words[argc - 1]; argc++) {
		strcpy(words[argc - 1], row->words[argc - 1]);
		argv[argc] = words[argc - 1];
	}
	*request = (struct wire_request){ 0 };
	/* What is wrong is said on stderr, which nobody wants to read here. */
	int kept = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(kept >= 0 && dup2(null, STDERR_FILENO) >= 0);
	int r = order_parse(&restart_command, argc, argv, options, options, request);
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	close(kept);
	close(null);
	return r;
}

static void test_what_an_order_names(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct wire_request *wanted = &rows[i].request;
		struct wire_request got;
		int r = parse(&rows[i], true, &got);

		if (r != rows[i].result || memcmp(&got, wanted, sizeof(got)) != 0)
			fail_msg("row %zu: got %d, app '%s', replica %u, all %d, force %d, no_wait "
			         "%d",
			         i, r, got.app, got.replica, got.all, got.force, got.no_wait);
	}
}

static void test_options_that_a_command_has_not_are_refused(void **state)
{
	static const struct row force = { .words = { "--force" } };
	static const struct row no_wait = { .words = { "--no-wait" } };
	struct wire_request request;

	(void)state;
	assert_int_equal(parse(&force, false, &request), USAGE);
	assert_int_equal(parse(&no_wait, false, &request), USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_an_order_names),
		TEST(test_options_that_a_command_has_not_are_refused),
	};

	return cmocka_run_group_tests_name("cli/order", tests, NULL, NULL);
}
