#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/parse.h"
#include "config/run_dirs.h"

static void test_the_default_is_tried_first(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	assert_string_equal(run_dirs[0], config.run_dir);
}

static void test_each_is_a_run_dir_that_an_operator_could_set(void **state)
{
	(void)state;

	for (size_t i = 0; run_dirs[i]; i++) {
		struct config config;
		char why[256];

		config_init(&config);
		assert_int_equal(
			config_set(&config, "twinit", "run_dir", run_dirs[i], why, sizeof(why)), 0);
		if (run_dirs[i][0] != '/' || config_check(&config, why, sizeof(why)) < 0)
			fail_msg("'%s': not absolute, or %s", run_dirs[i], why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_default_is_tried_first),
		cmocka_unit_test(test_each_is_a_run_dir_that_an_operator_could_set),
	};

	return cmocka_run_group_tests_name("config/run_dirs", tests, NULL, NULL);
}
