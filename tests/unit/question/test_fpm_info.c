#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../util/scratch.h"
#include "question/reading.h"
#include "util/macros.h"

static const char info[] = "phpinfo()\n"
			   "PHP Version => 8.2.36\n"
			   "Configuration File (php.ini) Path => /etc/php/8.2/fpm\n"
			   "session.save_path => tcp://a:1 => tcp://b:1\n"
			   "opcache.lockfile_path => /tmp => /tmp\n"
			   "last => no newline";

static const struct {
	const char *key;
	const char *value; /* NULL: not there */
} values[] = {
	{ "PHP Version", "8.2.36" },
	{ "Configuration File (php.ini) Path", "/etc/php/8.2/fpm" },
	{ "session.save_path", "tcp://a:1" },
	{ "opcache.lockfile_path", "/tmp" },
	{ "last", "no newline" },
	{ "PHP", NULL },
	{ "save_path", NULL },
	{ "phpinfo()", NULL },
};

static void test_values(void **state)
{
	char value[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		bool found = fpm_info_value(info, values[i].key, value, sizeof(value));

		if (found != (values[i].value != NULL) ||
		    (found && strcmp(value, values[i].value) != 0))
			fail_msg("%s: %s", values[i].key, found ? value : "not found");
	}
}

/* A php-fpm that the shell plays: what it prints and how it ends. */
static int ask(int (*step)(struct reading *), const char *commands, const char *known, char *why)
{
	static struct settings_answer answer;
	static char folder[SCRATCH_PATH_SIZE], script[1024];
	struct reading reading = { .answer = &answer, .info = strdup(known) };

	scratch_dir(folder);
	snprintf(answer.php_fpm, sizeof(answer.php_fpm), "%s/fpm", folder);
	snprintf(script, sizeof(script), "#!/bin/sh\n%s\n", commands);
	scratch_file(answer.php_fpm, script);
	assert_int_equal(chmod(answer.php_fpm, 0755), 0);
	reading.why = text_init(why, 512);
	char *before = reading.info;
	int r = step(&reading);
	if (reading.info != before)
		free(before);
	free(reading.info);
	return r;
}

static const struct {
	const char *says;
	const char *commands;
	int result;
	const char *why; /* that is part of it */
} readings[] = {
	{ "settings", "echo 'phpinfo()'; echo 'a => b'", 0, "" },
	{ "no settings", "echo hello", -EINVAL, "is it a PHP-FPM binary?" },
	{ "a fatal error", "echo first; echo 'Fatal Error: it'; exit 254", -EINVAL,
	  "ended with status 254: 'Fatal Error: it'" },
	{ "FPM's own error", "echo '[now] ERROR: bad'; echo 'bye'; exit 78", -EINVAL,
	  "ended with status 78: 'ERROR: bad'" },
};

static void test_reading(void **state)
{
	char why[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(readings); i++) {
		int r = ask(fpm_info_read, readings[i].commands, "", why);

		if (r != readings[i].result || !strstr(why, readings[i].why))
			fail_msg("%s: got %d, \"%s\"", readings[i].says, r, why);
	}
}

static const struct {
	const char *says;
	const char *info;
	const char *commands;
	int result;
	const char *why;
} locks[] = {
	{ "without OPcache", "a => b\n", "exit 254", 0, "" },
	{ "a place that is there", "opcache.lockfile_path => /tmp => /tmp\n", "exit 254", 0, "" },
	{ "no place, and no need of one",
	  "opcache.lockfile_path => /nonexistent/x => /nonexistent/x\n", "exit 0", 0, "" },
	{ "no place", "opcache.lockfile_path => /nonexistent/x => /nonexistent/x\n",
	  "echo 'Fatal Error Unable to create lock file'; exit 254", -EROFS,
	  "PHP cannot start: 'Fatal Error Unable to create lock file'; OPcache writes to "
	  "/nonexistent/x (opcache.lockfile_path): mount a tmpfs there" },
};

static void test_the_place_of_the_lock_file(void **state)
{
	char why[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(locks); i++) {
		int r = ask(fpm_info_try_opcache, locks[i].commands, locks[i].info, why);

		if (r != locks[i].result || strcmp(why, locks[i].why) != 0)
			fail_msg("%s: got %d, \"%s\"", locks[i].says, r, why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_the_place_of_the_lock_file),
	};

	return cmocka_run_group_tests_name("fpm_info", tests, scratch_begin, scratch_end);
}
