#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "util/macros.h"

static const struct row {
	const char *release, *docroot;
	const char *root;
} rows[] = {
	{ "/srv/app/current", "public", "/srv/app/current/public" },
	{ "/srv/app/current", "", "/srv/app/current" },
	{ "", "/var/www/html", "/var/www/html" },
	{ "", "", "" },
};

static void test_where_the_site_is(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		static struct app_config app;
		char root[2 * CONFIG_PATH_SIZE];

		strcpy(app.release, rows[i].release);
		strcpy(app.docroot, rows[i].docroot);
		config_site_root(&app, root, sizeof(root));
		if (strcmp(root, rows[i].root) != 0)
			fail_msg("'%s' and '%s': got '%s'", rows[i].release, rows[i].docroot, root);
	}
}

static void test_health_and_warm_up_are_pages(void **state)
{
	static struct app_config none, health = { .health = "/h.php" }, warm = { .warm = "/a /b" };

	(void)state;
	assert_false(config_has_pages(&none));
	assert_true(config_has_pages(&health));
	assert_true(config_has_pages(&warm));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_the_site_is),
		cmocka_unit_test(test_health_and_warm_up_are_pages),
	};

	return cmocka_run_group_tests_name("config/config", tests, NULL, NULL);
}
