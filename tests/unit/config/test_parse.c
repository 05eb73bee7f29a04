#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/parse.h"
#include "util/macros.h"

#define A63   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A64   A63 "a"
#define A1024 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64

static char why[512];

static void test_defaults_are_those_of_the_manual(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	struct app_config *app = config_app(&config, "www");
	assert_non_null(app);

	assert_string_equal(config.run_dir, "/run/twinit");
	assert_false(config.run_dir_set);
	assert_string_equal(isolation_name(config.isolation), "auto");
	assert_int_equal(config.log_format, LOG_FORMAT_TEXT);
	assert_string_equal(config.secrets, "");
	assert_string_equal(config.on_event, "");
	assert_string_equal(verify_name(config.sessions.verify), "auto");
	assert_int_equal(config.sessions.fail_health, FAIL_HEALTH_BOOT);
	assert_int_equal(config.sessions.wait_ms, 30000);
	assert_int_equal(config.sessions.every_ms, 10000);

	assert_string_equal(app->name, "www");
	assert_string_equal(app->php_fpm, "php-fpm");
	assert_string_equal(app->fpm_config, "");
	assert_int_equal(app->replicas, 2);
	assert_int_equal(app->surge, SURGE_DEFAULT);
	assert_int_equal(app->workers, WORKERS_SPLIT);
	assert_int_equal(app->confine, CONFINE_STANDARD);
	assert_string_equal(app->release, "");
	assert_string_equal(app->docroot, "public");
	assert_false(app->docroot_set);
	assert_false(app->read_only);
	assert_int_equal(app->start_timeout_ms, 30000);
	assert_int_equal(app->drain_timeout_ms, 30000);
	assert_int_equal(app->linger_ms, 0);
	assert_int_equal(app->quiet_ms, 1000);
	assert_int_equal(app->stop_timeout_ms, 8000);
	assert_int_equal(config_check(&config, why, sizeof(why)), 0);
}

static const struct duration_row {
	const char *says;
	const char *text;
	int result;
	uint32_t milliseconds;
} durations[] = {
	{ "milliseconds", "250ms", 0, 250 },
	{ "seconds", "30s", 0, 30000 },
	{ "minutes", "2m", 0, 120000 },
	{ "hours", "1h", 0, 3600000 },
	{ "nothing at all is a duration", "0s", 0, 0 },
	{ "the longest", "4294967295ms", 0, UINT32_MAX },
	{ "one more is too long", "4294967296ms", -ERANGE, 0 },
	{ "too many hours", "1194h", -ERANGE, 0 },
	{ "more than a long", "99999999999999999999s", -ERANGE, 0 },
	{ "no unit", "30", -EINVAL, 0 },
	{ "an unknown unit", "30d", -EINVAL, 0 },
	{ "a blank before the unit", "30 s", -EINVAL, 0 },
	{ "a blank before the number", " 30s", -EINVAL, 0 },
	{ "a sign", "-1s", -EINVAL, 0 },
	{ "a plus", "+1s", -EINVAL, 0 },
	{ "a fraction", "1.5s", -EINVAL, 0 },
	{ "nothing", "", -EINVAL, 0 },
	{ "only a unit", "s", -EINVAL, 0 },
	{ "capitals", "1S", -EINVAL, 0 },
	{ "more than a unit", "1s2", -EINVAL, 0 },
};

static void test_durations(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		uint32_t milliseconds = 0;
		int r = parse_duration(durations[i].text, &milliseconds);

		if (r != durations[i].result || milliseconds != durations[i].milliseconds)
			fail_msg("%s: got %d, %u ms", durations[i].says, r, milliseconds);
	}
}

static const struct set_row {
	const char *says;
	const char *section, *key, *value;
	const char *refused; /* the sentence; NULL: it is taken */
} sets[] = {
	{ "a path", "twinit", "run_dir", "/run/x", NULL },
	{ "a client may use a relative one", "twinit", "run_dir", "run", NULL },
	{ "no run_dir", "twinit", "run_dir", "", "run_dir: must not be empty" },
	{ "a word", "twinit", "isolation", "namespace", NULL },
	{ "another word", "twinit", "isolation", "none", NULL },
	{ "an unknown word is answered with the valid ones", "twinit", "isolation", "chroot",
	  "isolation: 'chroot' is not one of auto, namespace, path, none" },
	{ "words are not cut short", "twinit", "isolation", "pat",
	  "isolation: 'pat' is not one of auto, namespace, path, none" },
	{ "JSON", "twinit", "log_format", "json", NULL },
	{ "no such format", "twinit", "log_format", "", "log_format: '' is not one of text, json" },
	{ "secrets", "twinit", "secrets", "REDIS_PASSWORD  db_key9", NULL },
	{ "no secrets", "twinit", "secrets", "", NULL },
	{ "a path is no secret's name", "twinit", "secrets", "/run/secrets/x",
	  "secrets: '/run/secrets/x' is no list of environment variables" },
	{ "a program", "twinit", "on_event", "/usr/bin/logger", NULL },
	{ "a program with arguments", "twinit", "on_event", "/usr/bin/logger -t twinit", NULL },
	{ "no program", "twinit", "on_event", "", NULL },
	{ "a program that is somewhere", "twinit", "on_event", "logger -t twinit",
	  "on_event: 'logger -t twinit' is not absolute; begin with /" },
	{ "a key of another section", "twinit", "replicas", "2",
	  "unknown key 'replicas' in [twinit]; it belongs in [app NAME]" },

	{ "required", "sessions", "verify", "required", NULL },
	{ "verify is no switch", "sessions", "verify", "yes",
	  "verify: 'yes' is not one of auto, required, report, off" },
	{ "never", "sessions", "fail_health", "never", NULL },
	{ "sometimes", "sessions", "fail_health", "sometimes",
	  "fail_health: 'sometimes' is not one of boot, always, never" },
	{ "a wait", "sessions", "wait", "5m", NULL },
	{ "no wait", "sessions", "wait", "0s", NULL },
	{ "a service", "sessions", "service", "shop_php.web-1", NULL },
	{ "no service", "sessions", "service", "", NULL },
	{ "a name that DNS cannot have", "sessions", "service", "tasks/php",
	  "service: 'tasks/php' is no name of a service; write it as in DNS, without tasks." },
	{ "a key of [twinit]", "sessions", "isolation", "none",
	  "unknown key 'isolation' in [sessions]; it belongs in [twinit]" },
	{ "far from everything", "sessions", "password", "x",
	  "unknown key 'password' in [sessions]; valid are verify, fail_health, wait, every, "
	  "service" },

	{ "a binary", "app www", "php_fpm", "php-fpm8.4", NULL },
	{ "no binary", "app www", "php_fpm", "", "php_fpm: must not be empty" },
	{ "FPM's config", "app www", "fpm_config", "/etc/php/fpm.conf", NULL },
	{ "the binary's own config", "app www", "fpm_config", "", NULL },
	{ "a relative config", "app www", "fpm_config", "fpm.conf",
	  "fpm_config: 'fpm.conf' is not absolute; begin with /" },
	{ "one replica", "app www", "replicas", "1", NULL },
	{ "four replicas", "app www", "replicas", "4", NULL },
	{ "no replica", "app www", "replicas", "0", "replicas: '0' is no number from 1 to 4" },
	{ "five replicas", "app www", "replicas", "5", "replicas: '5' is no number from 1 to 4" },
	{ "forty replicas", "app www", "replicas", "40",
	  "replicas: '40' is no number from 1 to 4" },
	{ "some replicas", "app www", "replicas", "", "replicas: '' is no number from 1 to 4" },
	{ "high bytes", "app www", "replicas", "\xff",
	  "replicas: '\xff' is no number from 1 to 4" },
	{ "no surge", "app www", "surge", "0", NULL },
	{ "the default surge", "app www", "surge", "", NULL },
	{ "a negative surge", "app www", "surge", "-1", "surge: '-1' is no number from 0 to 4" },
	{ "full", "app www", "workers", "full", NULL },
	{ "strict", "app www", "confine", "strict", NULL },
	{ "no", "app www", "confine", "no", "confine: 'no' is not one of standard, strict, off" },
	{ "half", "app www", "workers", "half", "workers: 'half' is not one of split, full" },
	{ "a release", "app www", "release", "/srv/app/current", NULL },
	{ "no release", "app www", "release", "", NULL },
	{ "a relative release", "app www", "release", "current",
	  "release: 'current' is not absolute; begin with /" },
	{ "a docroot", "app www", "docroot", "web/public", NULL },
	{ "the release itself", "app www", "docroot", "", NULL },
	{ "dots in a name", "app www", "docroot", "..a/b../.../c../.d/e.", NULL },
	{ "a docroot that is hidden", "app www", "docroot", "./.x", NULL },
	{ "an absolute docroot", "app www", "docroot", "/var/www/html", NULL },
	{ "a docroot elsewhere", "app www", "docroot", "..",
	  "docroot: '..' has '..'; name a directory below the release" },
	{ "a docroot elsewhere, in the middle", "app www", "docroot", "a//../b",
	  "docroot: 'a//../b' has '..'; name a directory below the release" },
	{ "a docroot elsewhere, at the end", "app www", "docroot", "a/..",
	  "docroot: 'a/..' has '..'; name a directory below the release" },
	{ "yes", "app www", "read_only", "yes", NULL },
	{ "no", "app www", "read_only", "no", NULL },
	{ "on", "app www", "read_only", "on", "read_only: 'on' is neither yes nor no" },
	{ "publish", "app www", "publish", "/srv/app/published", NULL },
	{ "a relative publish", "app www", "publish", "published",
	  "publish: 'published' is not absolute; begin with /" },
	{ "a script", "app www", "health", "/health.php", NULL },
	{ "no script", "app www", "health", "", NULL },
	{ "a relative script", "app www", "health", "health.php",
	  "health: 'health.php' does not begin with /" },
	{ "two scripts", "app www", "health", "/a.php /b.php",
	  "health: '/a.php /b.php' is more than one script" },
	{ "a list", "app www", "warm", " /a.php\t/b.php  /c.php ", NULL },
	{ "an empty list", "app www", "warm", "", NULL },
	{ "a relative entry", "app www", "warm", "/a.php b.php",
	  "warm: 'b.php' does not begin with /" },
	{ "a timeout", "app www", "start_timeout", "1m", NULL },
	{ "a bare number", "app www", "start_timeout", "30",
	  "start_timeout: '30' has no unit; write 30s or 30000ms" },
	{ "a bare nothing", "app www", "linger", "0", "linger: '0' has no unit; write 0s or 0ms" },
	{ "many nothings", "app www", "linger", "000",
	  "linger: '000' has no unit; write 000s or 000ms" },
	{ "no duration", "app www", "quiet", "soon",
	  "quiet: 'soon' is no duration; write it like 30s, 250ms, 2m or 1h" },
	{ "an empty duration", "app www", "quiet", "",
	  "quiet: '' is no duration; write it like 30s, 250ms, 2m or 1h" },
	{ "a duration beyond all", "app www", "stop_timeout", "1194h",
	  "stop_timeout: '1194h' is too long; the longest is 1193h" },
	{ "a control character", "app www", "php_fpm", "a\nb",
	  "php_fpm: 'a\\x0ab' has a control character" },
	{ "a path that is too long", "app www", "release", "/" A1024,
	  "release: is longer than 1023 bytes" },
	{ "a list that is too long", "twinit", "secrets", A1024 A1024,
	  "secrets: is longer than 2047 bytes" },

	{ "a letter is missing", "app www", "replica", "2",
	  "unknown key 'replica' in [app www]; did you mean 'replicas'?" },
	{ "a letter is wrong", "app www", "workars", "full",
	  "unknown key 'workars' in [app www]; did you mean 'workers'?" },
	{ "another separator", "app www", "start-timeout", "1s",
	  "unknown key 'start-timeout' in [app www]; did you mean 'start_timeout'?" },
	{ "letters are too many", "twinit", "isolationnn", "none",
	  "unknown key 'isolationnn' in [twinit]; did you mean 'isolation'?" },
	{ "an empty key", "sessions", "", "x",
	  "unknown key '' in [sessions]; valid are verify, fail_health, wait, every, "
	  "service" },
	{ "a key of [twinit]", "app www", "run_dir", "/x",
	  "unknown key 'run_dir' in [app www]; it belongs in [twinit]" },
	{ "a key of [sessions]", "app www", "wait", "1s",
	  "unknown key 'wait' in [app www]; it belongs in [sessions]" },
	{ "an endless key", "sessions", A1024, "x", "unknown key '" /* cut */ },
	{ "blanks in a section", "app \t www", "replicas", "2", NULL },
	{ "an unknown section", "redis", "replicas", "2",
	  "unknown section 'redis'; valid are [twinit], [sessions] and [app NAME]" },
	{ "no section", "", "replicas", "2",
	  "a key before any section; valid are [twinit], [sessions] and [app NAME]" },
	{ "apple is no app", "apple", "replicas", "2",
	  "unknown section 'apple'; valid are [twinit], [sessions] and [app NAME]" },
	{ "an app without a name", "app", "replicas", "2",
	  "[app] with the name '' is not possible; write letters and digits, as in [app www]" },
	{ "an app with a bad name", "app a/b", "replicas", "2",
	  "[app] with the name 'a/b' is not possible; write letters and digits, "
	  "as in [app www]" },
};

static void test_each_key_takes_what_is_valid(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		const struct set_row *row = &sets[i];
		struct config config;
		int wanted = row->refused ? -EINVAL : 0;

		config_init(&config);
		int r = config_set(&config, row->section, row->key, row->value, why, sizeof(why));
		if (r != wanted)
			fail_msg("%s: got %d, %s", row->says, r, why);
		if (!row->refused)
			continue;
		bool cut = row->refused[strlen(row->refused) - 1] == '\'' &&
		           strlen(why) == sizeof(why) - 1;
		if (!cut && strcmp(why, row->refused) != 0)
			fail_msg("%s: says \"%s\"", row->says, why);
	}
}

static const struct {
	const char *says;
	const char *section, *key;
	const char *meant; /* NULL: the valid ones are listed */
} misspelt[] = {
	{ "three more at the beginning", "app www", "xxxsurge", "surge" },
	{ "four more", "app www", "xxxxsurge", NULL },
	{ "three more at the end", "app www", "surgexxx", "surge" },
	{ "four more there", "app www", "surgexxxx", NULL },
	{ "three less at the beginning", "app www", "ge", "surge" },
	{ "four less", "app www", "e", NULL },
	{ "three less at the end", "app www", "su", "surge" },
	{ "four less there", "app www", "s", NULL },
	{ "three others at the beginning", "app www", "xxxge", "surge" },
	{ "four others", "app www", "xxxxe", NULL },
	{ "three others at the end", "app www", "suxxx", "surge" },
	{ "four others there", "app www", "sxxxx", NULL },
	{ "one less, one other, one more", "app www", "urxex", "surge" },
	{ "two that changed places", "app www", "sugre", "surge" },
	{ "the nearest of two", "app www", "replicase", "replicas" },
	{ "the nearest of two, the later one", "app www", "replease", "release" },
	{ "the longest name of an app", "app " A63, "replica", "replicas" },
	{ "the first key of all", "twinit", "rundir", "run_dir" },
	{ "the last one", "app www", "stop-timeout", "stop_timeout" },
	{ "what is near in another section only", "twinit", "surgee", NULL },
};

static void test_a_misspelt_key_is_told_the_nearest(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(misspelt); i++) {
		const char *section = misspelt[i].section, *key = misspelt[i].key;
		struct config config;
		char wanted[512];

		config_init(&config);
		assert_int_equal(config_set(&config, section, key, "1", why, sizeof(why)), -EINVAL);
		if (misspelt[i].meant)
			snprintf(wanted, sizeof(wanted),
			         "unknown key '%s' in [%s]; did you mean '%s'?", key, section,
			         misspelt[i].meant);
		else
			snprintf(
				wanted, sizeof(wanted), "unknown key '%s' in [%s]; valid are %s",
				key, section,
				strcmp(section, "twinit") == 0
					? "run_dir, isolation, secrets, log_format, on_event"
					: "php_fpm, fpm_config, replicas, surge, workers, confine, "
					  "release, docroot, read_only, publish, health, warm, "
					  "start_timeout, drain_timeout, linger, quiet, "
					  "stop_timeout");
		if (strcmp(why, wanted) != 0)
			fail_msg("%s: says \"%s\", not \"%s\"", misspelt[i].says, why, wanted);
	}
}

/* In the order of its enum. */
static const struct {
	const char *section, *key;
	size_t offset;
	const char *words[5];
} enums[] = {
	{ "twinit",
	  "isolation",
	  offsetof(struct config, isolation),
	  { "auto", "namespace", "path", "none" } },
	{ "twinit", "log_format", offsetof(struct config, log_format), { "text", "json" } },
	{ "sessions",
	  "verify",
	  offsetof(struct config, sessions.verify),
	  { "auto", "required", "report", "off" } },
	{ "sessions",
	  "fail_health",
	  offsetof(struct config, sessions.fail_health),
	  { "boot", "always", "never" } },
	{ "app www", "workers", offsetof(struct config, apps[0].workers), { "split", "full" } },
	{ "app www",
	  "confine",
	  offsetof(struct config, apps[0].confine),
	  { "standard", "strict", "off" } },
};

static void test_each_word_means_its_value(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(enums); i++)
		for (unsigned word = 0; enums[i].words[word]; word++) {
			struct config config;
			unsigned before = UINT_MAX, after;

			config_init(&config);
			(void)config_app(&config, "www");
			memcpy((char *)&config + enums[i].offset, &before, sizeof(before));
			if (config_set(&config, enums[i].section, enums[i].key,
			               enums[i].words[word], why, sizeof(why)) < 0)
				fail_msg("%s", why);
			memcpy(&after, (char *)&config + enums[i].offset, sizeof(after));
			if (after != word)
				fail_msg("%s = %s: got %u", enums[i].key, enums[i].words[word],
				         after);
		}
}

static void test_a_refused_value_changes_nothing(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		struct config before, after;

		if (!sets[i].refused)
			continue;
		memset(&before, 0, sizeof(before));
		config_init(&before);
		(void)config_app(&before, "www");
		memcpy(&after, &before, sizeof(after));
		assert_int_equal(config_set(&after, sets[i].section, sets[i].key, sets[i].value,
		                            why, sizeof(why)),
		                 -EINVAL);
		if (memcmp(&before, &after, sizeof(after)) != 0)
			fail_msg("%s: it changed something", sets[i].says);
	}
}

static void set(struct config *config, const char *section, const char *key, const char *value)
{
	if (config_set(config, section, key, value, why, sizeof(why)) < 0)
		fail_msg("%s = %s: %s", key, value, why);
}

static void test_values_go_where_they_belong(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	set(&config, "twinit", "run_dir", "/x");
	set(&config, "twinit", "isolation", "path");
	set(&config, "twinit", "secrets", "A B");
	set(&config, "twinit", "log_format", "json");
	set(&config, "twinit", "on_event", "/bin/e");
	set(&config, "sessions", "verify", "off");
	set(&config, "sessions", "fail_health", "always");
	set(&config, "sessions", "wait", "1ms");
	set(&config, "sessions", "every", "2ms");
	set(&config, "app one", "replicas", "1");
	set(&config, "app two", "php_fpm", "fpm");
	set(&config, "app two", "fpm_config", "/c");
	set(&config, "app two", "replicas", "4");
	set(&config, "app two", "surge", "3");
	set(&config, "app two", "workers", "full");
	set(&config, "app two", "release", "/r");
	set(&config, "app two", "docroot", "d");
	set(&config, "app two", "read_only", "yes");
	set(&config, "app two", "publish", "/p");
	set(&config, "app two", "health", "/h");
	set(&config, "app two", "warm", "/w /x");
	set(&config, "app two", "start_timeout", "3ms");
	set(&config, "app two", "drain_timeout", "4ms");
	set(&config, "app two", "linger", "5ms");
	set(&config, "app two", "quiet", "6ms");
	set(&config, "app two", "stop_timeout", "7ms");

	assert_string_equal(config.run_dir, "/x");
	assert_true(config.run_dir_set);
	assert_int_equal(config.isolation, ISOLATION_PATH);
	assert_string_equal(config.secrets, "A B");
	assert_int_equal(config.log_format, LOG_FORMAT_JSON);
	assert_string_equal(config.on_event, "/bin/e");
	assert_int_equal(config.sessions.verify, VERIFY_OFF);
	assert_int_equal(config.sessions.fail_health, FAIL_HEALTH_ALWAYS);
	assert_int_equal(config.sessions.wait_ms, 1);
	assert_int_equal(config.sessions.every_ms, 2);

	assert_int_equal(config.app_count, 2);
	assert_int_equal(config.apps[0].replicas, 1);
	const struct app_config *app = &config.apps[1];
	assert_string_equal(app->name, "two");
	assert_string_equal(app->php_fpm, "fpm");
	assert_string_equal(app->fpm_config, "/c");
	assert_int_equal(app->replicas, 4);
	assert_int_equal(app->surge, 3);
	assert_int_equal(app->workers, WORKERS_FULL);
	assert_string_equal(app->release, "/r");
	assert_string_equal(app->docroot, "d");
	assert_true(app->docroot_set);
	assert_true(app->read_only);
	assert_string_equal(app->publish, "/p");
	assert_string_equal(app->health, "/h");
	assert_string_equal(app->warm, "/w /x");
	assert_int_equal(app->start_timeout_ms, 3);
	assert_int_equal(app->drain_timeout_ms, 4);
	assert_int_equal(app->linger_ms, 5);
	assert_int_equal(app->quiet_ms, 6);
	assert_int_equal(app->stop_timeout_ms, 7);

	set(&config, "app two", "surge", "");
	assert_int_equal(app->surge, SURGE_DEFAULT);
}

static const struct {
	const char *says;
	const char *name;
	bool valid;
} names[] = {
	{ "a plain name", "www", true }, { "everything allowed", "My_app-2.example", true },
	{ "63 bytes", A63, true },       { "64 bytes", A64, false },
	{ "nothing", "", false },        { "a blank", "a b", false },
	{ "a path", "a/b", false },      { "the parent", "..", false },
	{ "an option", "-q", false },    { "what the commands call every app", "all", false },
	{ "UTF-8", "h\xc3\xa9", false },
};

static void test_names(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct config config;

		config_init(&config);
		if ((config_app(&config, names[i].name) != NULL) != names[i].valid)
			fail_msg("%s", names[i].says);
	}
}

static void test_there_is_an_end_to_apps(void **state)
{
	struct config config;
	char name[NAME_SIZE];

	(void)state;
	config_init(&config);
	for (int i = 0; i < APPS_MAX; i++) {
		snprintf(name, sizeof(name), "app%d", i);
		assert_non_null(config_app(&config, name));
		assert_ptr_equal(config_app(&config, name), &config.apps[i]);
	}
	assert_null(config_app(&config, "more"));
	assert_int_equal(config_set(&config, "app more", "surge", "1", why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "[app] with the name 'more' is one too many; 16 are possible");
	set(&config, "app app7", "surge", "1");
	assert_int_equal(config.app_count, APPS_MAX);
}

static const struct {
	const char *says;
	const char *name, *value;
	int result;
	const char *sentence;
} variables[] = {
	{ "a key of [twinit]", "TWINIT_ISOLATION", "path", 0, NULL },
	{ "a key of [sessions]", "TWINIT_SESSIONS_WAIT", "1m", 0, NULL },
	{ "a key of the app", "TWINIT_APP_RELEASE", "/srv/app/current", 0, NULL },
	{ "a bad value", "TWINIT_SESSIONS_WAIT", "30", -EINVAL,
	  "TWINIT_SESSIONS_WAIT: '30' has no unit; write 30s or 30000ms" },
	{ "an empty value is none", "TWINIT_SESSIONS_WAIT", "", 0, NULL },
	{ "a template that nobody filled in is none", "TWINIT_SESSIONS_WAIT", "{{.Task.Slot}}",
	  CONFIG_TEMPLATE, NULL },
	{ "somebody else's", "PATH", "/bin", -ENOENT, NULL },
	{ "nearly ours", "TWINITX", "x", -ENOENT, NULL },
	{ "Kubernetes' own", "TWINIT_SERVICE_HOST", "10.0.0.1", -ENOENT, NULL },
	{ "the commands' own", "TWINIT_CONFIG", "/etc/x", -ENOENT, NULL },
	{ "unknown and empty", "TWINIT_NOTHING", "", -ENOENT, NULL },
	{ "keys of sections need the section", "TWINIT_WAIT", "1s", -ENOENT, NULL },
	{ "small letters", "TWINIT_isolation", "none", -ENOENT, NULL },
	{ "no key", "TWINIT_", "x", -ENOENT, NULL },
	{ "only the section", "TWINIT_APP_", "x", -ENOENT, NULL },
	{ "a long name", "TWINIT_" A1024, "x", -ENOENT, NULL },
	{ "a name that only begins like a key", "TWINIT_ISOLATION________________________", "none",
	  -ENOENT, NULL },
};

static void test_variables(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		struct config config;

		config_init(&config);
		int r = config_set_from_env(&config, variables[i].name, variables[i].value, why,
		                            sizeof(why));
		if (r != variables[i].result)
			fail_msg("%s: got %d, %s", variables[i].says, r, why);
		if (variables[i].sentence && strcmp(why, variables[i].sentence) != 0)
			fail_msg("%s: says \"%s\"", variables[i].says, why);
	}
}

static void test_app_variables_are_for_the_only_app(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(config_set_from_env(&config, "TWINIT_APP_REPLICAS", "1", why, sizeof(why)),
	                 0);
	assert_string_equal(config.apps[0].name, "www");
	assert_int_equal(config.apps[0].replicas, 1);

	config_init(&config);
	(void)config_app(&config, "shop");
	assert_int_equal(config_set_from_env(&config, "TWINIT_APP_REPLICAS", "3", why, sizeof(why)),
	                 0);
	assert_int_equal(config.app_count, 1);
	assert_int_equal(config.apps[0].replicas, 3);

	(void)config_app(&config, "blog");
	assert_int_equal(config_set_from_env(&config, "TWINIT_APP_REPLICAS", "1", why, sizeof(why)),
	                 -EINVAL);
	assert_string_equal(why, "TWINIT_APP_REPLICAS: there are 2 apps; "
	                         "set replicas in the file, in [app NAME]");
	assert_int_equal(config_set_from_env(&config, "TWINIT_APP_REPLICAS", "", why, sizeof(why)),
	                 0);
}

static const struct {
	const char *says;
	const char *settings[3][3];
	const char *sentence; /* NULL: fine */
} checks[] = {
	{ "as many at once as there are",
	  { { "app www", "replicas", "3" }, { "app www", "surge", "3" } },
	  NULL },
	{ "more at once than there are",
	  { { "app www", "replicas", "2" }, { "app www", "surge", "3" } },
	  "[app www]: surge is more than replicas" },
	{ "no time to start",
	  { { "app www", "start_timeout", "0s" } },
	  "[app www]: start_timeout must be more than 0s" },
	{ "no time to drain",
	  { { "app www", "drain_timeout", "0s" } },
	  "[app www]: drain_timeout must be more than 0s" },
	{ "no time to stop",
	  { { "app www", "stop_timeout", "0s" } },
	  "[app www]: stop_timeout must be more than 0s" },
	{ "sessions are asked without a pause",
	  { { "sessions", "every", "0s" } },
	  "[sessions]: every must be more than 0s" },
	{ "hardly any time to start", { { "app www", "start_timeout", "1ms" } }, NULL },
	{ "the longest name",
	  { { "app " A63, "start_timeout", "0s" } },
	  "[app " A63 "]: start_timeout must be more than 0s" },
	{ "no quiet", { { "app www", "quiet", "0s" } }, NULL },
	{ "linger", { { "app www", "linger", "60s" } }, NULL },
	{ "linger without the old ones",
	  { { "app www", "linger", "1ms" }, { "app www", "surge", "0" } },
	  "[app www]: linger keeps all old replicas beside the new ones, so surge must be "
	  "replicas; "
	  "leave one of the two out" },
	{ "publish with a release",
	  { { "app www", "publish", "/p" }, { "app www", "release", "/r" } },
	  NULL },
	{ "publish without one",
	  { { "app www", "publish", "/p" } },
	  "[app www]: publish needs release" },
	{ "read-only with a release",
	  { { "app www", "read_only", "yes" }, { "app www", "release", "/r" } },
	  NULL },
	{ "read-only without a release",
	  { { "app www", "read_only", "yes" } },
	  "[app www]: read_only needs release" },
	{ "the second app is looked at, too",
	  { { "app www", "surge", "0" }, { "app two", "read_only", "yes" } },
	  "[app two]: read_only needs release" },
	{ "linger with less surge",
	  { { "app www", "linger", "1ms" },
	    { "app www", "replicas", "3" },
	    { "app www", "surge", "2" } },
	  "[app www]: linger keeps all old replicas beside the new ones, so surge must be "
	  "replicas; "
	  "leave one of the two out" },
	{ "an absolute docroot beside a release",
	  { { "app www", "release", "/r" }, { "app www", "docroot", "/r/public" } },
	  "[app www]: docroot is absolute; write it relative to the release" },
	{ "a health script of code in the image",
	  { { "app www", "health", "/h.php" }, { "app www", "docroot", "/var/www/html" } },
	  NULL },
	{ "a health script that is nowhere",
	  { { "app www", "health", "/h.php" } },
	  "[app www]: health and warm are looked for below docroot; where the code is in the "
	  "image, "
	  "make that absolute, e.g. docroot = /var/www/html" },
	{ "pages to warm up that are nowhere",
	  { { "app www", "warm", "/a.php" } },
	  "[app www]: health and warm are looked for below docroot; where the code is in the "
	  "image, "
	  "make that absolute, e.g. docroot = /var/www/html" },
	{ "path isolation with a docroot",
	  { { "twinit", "isolation", "path" },
	    { "app www", "release", "/r" },
	    { "app www", "docroot", "public" } },
	  NULL },
	{ "path isolation with a guess",
	  { { "twinit", "isolation", "path" }, { "app www", "release", "/r" } },
	  "[app www]: isolation = path needs docroot, e.g. docroot = public" },
	{ "path isolation with nothing to isolate", { { "twinit", "isolation", "path" } }, NULL },
	{ "room for the socket's name",
	  { { "twinit", "run_dir", A64 "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" } },
	  NULL },
	{ "no room for it",
	  { { "twinit", "run_dir", A64 "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" } },
	  "[twinit]: run_dir is longer than 99 bytes" },
};

static void test_the_whole_is_checked(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct config config;
		int wanted = checks[i].sentence ? -EINVAL : 0;

		config_init(&config);
		for (size_t j = 0; j < 3 && checks[i].settings[j][0]; j++)
			set(&config, checks[i].settings[j][0], checks[i].settings[j][1],
			    checks[i].settings[j][2]);
		int r = config_check(&config, why, sizeof(why));
		if (r != wanted || (r < 0 && strcmp(why, checks[i].sentence) != 0))
			fail_msg("%s: got %d, \"%s\"", checks[i].says, r, why);
	}
}

/* A sentence that does not fit is cut, whatever the size. */
static void test_short_buffers(void **state)
{
	(void)state;

	for (size_t size = 1; size < 80; size++) {
		struct config config;
		char small[80];

		config_init(&config);
		memset(small, 'x', sizeof(small));
		assert_int_equal(config_set(&config, "app w", "repl", "2", small, size), -EINVAL);
		assert_true(strlen(small) < size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_those_of_the_manual),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_each_key_takes_what_is_valid),
		cmocka_unit_test(test_a_misspelt_key_is_told_the_nearest),
		cmocka_unit_test(test_each_word_means_its_value),
		cmocka_unit_test(test_a_refused_value_changes_nothing),
		cmocka_unit_test(test_values_go_where_they_belong),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_there_is_an_end_to_apps),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_app_variables_are_for_the_only_app),
		cmocka_unit_test(test_the_whole_is_checked),
		cmocka_unit_test(test_short_buffers),
	};

	return cmocka_run_group_tests_name("config/parse", tests, NULL, NULL);
}
