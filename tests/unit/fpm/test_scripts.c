/* By which path scripts were asked for, as a status page shows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fpm/scripts.h"
#include "util/macros.h"

#define LINK "/srv/app/current"

static const struct {
	const char *body;
	unsigned seen, through;
	const char *example;
} rows[] = {
	{ "", 0, 0, "" },
	{ "{\"script\":\"-\"}", 0, 0, "" },
	{ "{\"script\":\"\"}", 0, 0, "" },
	{ "{\"script\":\"/srv/app/current/i.php\"}", 1, 1, "" },
	{ "{\"script\":\"\\/srv\\/app\\/current\\/i.php\"}", 1, 1, "" },
	{ "{\"script\":\"/srv/app/currently/i.php\"}", 1, 0, "/srv/app/currently/i.php" },
	{ "{\"script\":\"/srv/app/current\"}", 1, 0, LINK },
	{ "{\"script\":\"/a\"},{\"script\":\"/srv/app/current/b\"}", 2, 1, "/a" },
	/* A visitor's address with the key in it. */
	{ "{\"request uri\":\"\\\"script\\\":\\\"\\/a\"}", 0, 0, "" },
	/* Cut off. */
	{ "{\"script\":\"/a", 1, 0, "/a" },
	{ "{\"script\":\"/a\\", 1, 0, "/a" },
	{ "{\"script\":\"", 0, 0, "" },
	{ "{\"script\":", 0, 0, "" },
};

static void test_scripts_are_counted_by_their_path(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const size_t size = strlen(rows[i].body);
		struct fpm_scripts scripts = { 0 };
		/* Exactly as large, for the sanitizers. */
		char *body = malloc(size + (size == 0));

		assert_non_null(body);
		memcpy(body, rows[i].body, size);
		fpm_scripts_add(&scripts, body, size, LINK);
		free(body);
		if (scripts.seen != rows[i].seen || scripts.through != rows[i].through ||
		    strcmp(scripts.example, rows[i].example) != 0)
			fail_msg("%s: seen %u, through %u, '%s'", rows[i].body, scripts.seen,
			         scripts.through, scripts.example);
	}
}

static void test_a_long_path_is_cut(void **state)
{
	static char body[9000] = "{\"script\":\"/";
	struct fpm_scripts scripts = { 0 };

	(void)state;
	memset(body + strlen(body), 'a', sizeof(body) - 100);
	fpm_scripts_add(&scripts, body, strlen(body), LINK);
	assert_int_equal(scripts.seen, 1);
	assert_int_equal(strlen(scripts.example), SCRIPT_EXAMPLE_SIZE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts_are_counted_by_their_path),
		cmocka_unit_test(test_a_long_path_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
