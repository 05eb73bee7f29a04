#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/parse.h"
#include "config/supported.h"
#include "util/macros.h"

static const struct row {
	const char *says;
	const char *settings[2][3]; /* section, key, value */
	const char *key;            /* NULL: all of it is acted on */
} rows[] = {
	{ "the defaults", { { NULL } }, NULL },
	{ "a program for events", { { "twinit", "on_event", "/bin/e" } }, "on_event" },
	{ "what is set to nothing is not set", { { "twinit", "on_event", "" } }, NULL },
};

static void test_a_key_that_nothing_acts_on_is_found(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config config;
		char why[512];

		config_init(&config);
		(void)config_app(&config, "one");
		for (size_t j = 0; j < 2 && rows[i].settings[j][0]; j++)
			if (config_set(&config, rows[i].settings[j][0], rows[i].settings[j][1],
			               rows[i].settings[j][2], why, sizeof(why)) < 0)
				fail_msg("%s: %s", rows[i].says, why);

		const char *key = config_unsupported(&config);
		if (!key != !rows[i].key || (key && strcmp(key, rows[i].key) != 0))
			fail_msg("%s: got %s, not %s", rows[i].says, key ? key : "none",
			         rows[i].key ? rows[i].key : "none");
	}
}

/* Each other key can be set to something else without being refused. */
static void test_what_is_acted_on_is_not_refused(void **state)
{
	static const char *const settings[][3] = {
		{ "twinit", "run_dir", "/x" },      { "twinit", "isolation", "none" },
		{ "twinit", "secrets", "A" },       { "twinit", "log_format", "json" },
		{ "sessions", "verify", "off" },    { "sessions", "fail_health", "never" },
		{ "sessions", "wait", "1s" },       { "sessions", "every", "1s" },
		{ "app w", "php_fpm", "fpm" },      { "app w", "fpm_config", "/c" },
		{ "app w", "replicas", "4" },       { "app w", "surge", "1" },
		{ "app w", "workers", "full" },     { "app w", "release", "/r" },
		{ "app w", "docroot", "d" },        { "app w", "read_only", "yes" },
		{ "app w", "publish", "/p" },       { "app w", "start_timeout", "1s" },
		{ "app w", "drain_timeout", "1s" }, { "app w", "quiet", "2s" },
		{ "app w", "stop_timeout", "1s" },  { "app w", "health", "/h" },
		{ "app w", "warm", "/w" },          { "app w", "linger", "1s" },
		{ "app w", "confine", "strict" },
	};
	struct config config;
	char why[512];

	(void)state;
	config_init(&config);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		if (config_set(&config, settings[i][0], settings[i][1], settings[i][2], why,
		               sizeof(why)) < 0)
			fail_msg("%s: %s", settings[i][1], why);
		const char *key = config_unsupported(&config);
		if (key)
			fail_msg("%s was set, and %s is refused", settings[i][1], key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_that_nothing_acts_on_is_found),
		cmocka_unit_test(test_what_is_acted_on_is_not_refused),
	};

	return cmocka_run_group_tests_name("config/supported", tests, NULL, NULL);
}
