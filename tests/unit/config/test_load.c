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

#include "config/hook.h"
#include "config/load.h"
#include "util/macros.h"

#define A50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A150 A50 A50 A50

static char *const no_environment[] = { NULL };
static char path[] = "/tmp/twinit-test-load-XXXXXX";
static char error[CONFIG_ERROR_SIZE];
static struct config config;

static int make_file(void **state)
{
	(void)state;
	int fd = mkstemp(path);

	return fd < 0 || close(fd) < 0 ? -1 : 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_file(const char *text, size_t length)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static int load(const char *text)
{
	write_file(text, strlen(text));
	return config_load(path, no_environment, &config, error, NULL);
}

static void test_a_whole_file(void **state)
{
	(void)state;

	assert_int_equal(load("\xef\xbb\xbf# ours\n"
	                      "; theirs\n"
	                      "[twinit]\r\n"
	                      "isolation = none ; a comment\r\n"
	                      "\r\n"
	                      "[sessions]\n"
	                      "wait: 5s\n"
	                      "[app www]\n"
	                      "  replicas = 3\n"
	                      "\tsurge=1\n"
	                      "  warm = /a.php?x=1;y /b.php\n"
	                      "release =\n"
	                      "[app shop]\n"
	                      "replicas = 1\n"
	                      "[app www]\n"
	                      "replicas = 2\n"
	                      "docroot = /web"),
	                 0);
	assert_string_equal(config.file, path);
	assert_int_equal(config.isolation, ISOLATION_NONE);
	assert_int_equal(config.sessions.wait_ms, 5000);
	assert_int_equal(config.app_count, 2);
	assert_int_equal(config.apps[0].replicas, 2); /* the later one wins */
	assert_int_equal(config.apps[0].surge, 1);
	assert_string_equal(config.apps[0].warm, "/a.php?x=1;y /b.php");
	assert_string_equal(config.apps[0].docroot, "/web");
	assert_int_equal(config.apps[1].replicas, 1);
}

static void test_an_empty_file_is_the_defaults(void **state)
{
	(void)state;

	assert_int_equal(load(""), 0);
	assert_int_equal(config.app_count, 1);
	assert_string_equal(config.apps[0].name, "www");
}

static const struct row {
	const char *says;
	const char *text;
	const char *sentence; /* behind the path */
} wrong[] = {
	{ "an unknown key", "[app www]\nsurge = 1\nreplica = 2\n",
	  ":3: unknown key 'replica' in [app www]; did you mean 'replicas'?" },
	{ "a bad value", "\n\n[app www]\nstart_timeout = 30\n",
	  ":4: start_timeout: '30' has no unit; write 30s or 30000ms" },
	{ "an unknown section", "[redis]\nhost = x\n",
	  ":2: unknown section 'redis'; valid are [twinit], [sessions] and [app NAME]" },
	{ "no section", "isolation = none\n",
	  ":1: a key before any section; valid are [twinit], [sessions] and [app NAME]" },
	{ "no value", "[twinit]\nisolation\n", ":2: is neither [section] nor key = value" },
	{ "no end of a section", "[twinit]\n[app www\n",
	  ":2: is neither [section] nor key = value" },
	{ "neither, in the first line", "isolation\n[twinit]\n",
	  ":1: is neither [section] nor key = value" },
	{ "the first of two is told, though it is the first line",
	  "isolation = none\n[redis]\nx = 1\n",
	  ":1: a key before any section; valid are [twinit], [sessions] and [app NAME]" },
	{ "the first of two is told", "[twinit]\nisolation\nlog_format = xml\n",
	  ":2: is neither [section] nor key = value" },
	{ "the first of two is told, the other way round",
	  "[twinit]\nlog_format = xml\nisolation\n",
	  ":2: log_format: 'xml' is not one of text, json" },
	{ "a broken line before a long one", "[twinit]\nisolation\n#" A150 A50 "\n",
	  ":2: is neither [section] nor key = value" },
	{ "a long line is not cut", "[app www]\nrelease = /" A150 A50 "\n",
	  ":2: is longer than 197 bytes; a longer value fits in the environment" },
	{ "a long section is not cut", "[app aa" A50 "]\n",
	  ":1: has a section name of more than 49 bytes" },
	{ "a section without end that is long", "[app aa" A50 "\n",
	  ":1: has a section name of more than 49 bytes" },
	{ "an indented key is no longer value", "[app www]\nwarm = /a\n  healt = /b\n",
	  ":3: unknown key 'healt' in [app www]; did you mean 'health'?" },
	{ "the whole is checked", "[app www]\nreplicas = 1\nsurge = 2\n",
	  ": [app www]: surge is more than replicas" },
};

static void test_errors_say_where(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		int r = load(wrong[i].text);

		if (r != -EINVAL)
			fail_msg("%s: got %d", wrong[i].says, r);
		if (strncmp(error, path, strlen(path)) != 0 ||
		    strcmp(error + strlen(path), wrong[i].sentence) != 0)
			fail_msg("%s: says \"%s\"", wrong[i].says, error);
	}
}

/* What inih would take whole, and what it would cut. */
static void test_the_longest_line(void **state)
{
	char text[512];

	(void)state;
	for (int length = 170; length < 230; length++) {
		int n = snprintf(text, sizeof(text), "[app www]\nrelease = /%0*d", length, 0);

		write_file(text, (size_t)n);
		int r = config_load(path, no_environment, &config, error, NULL);
		if (r == 0 && strlen(config.apps[0].release) != (size_t)length + 1)
			fail_msg("%d bytes were cut to %zu", length,
			         strlen(config.apps[0].release));
		if ((r == 0) != (length + 11 <= 197))
			fail_msg("%d bytes: got %d", length, r);
	}
}

static void test_the_longest_section(void **state)
{
	char text[128];

	(void)state;
	for (int length = 30; length < 60; length++) {
		snprintf(text, sizeof(text), "[app %0*d]\nsurge = 1\n", length, 0);
		int r = load(text);

		if (r == 0 && strlen(config.apps[0].name) != (size_t)length)
			fail_msg("%d bytes were cut", length);
		if ((r == 0) != (length + 4 <= 49))
			fail_msg("%d bytes: got %d", length, r);
	}
}

static void test_a_nul_byte_is_refused(void **state)
{
	static const char text[] = "[twinit]\nisolation = none\0\nrun_dir = /x\n";
	char wanted[sizeof(path) + 32];

	(void)state;
	write_file(text, sizeof(text) - 1);
	assert_int_equal(config_load(path, no_environment, &config, error, NULL), -EINVAL);
	snprintf(wanted, sizeof(wanted), "%s:2: has a NUL byte", path);
	assert_string_equal(error, wanted);
}

static void test_files_that_cannot_be_read(void **state)
{
	char endless[2 * CONFIG_PATH_SIZE], below[sizeof(path) + 2];

	(void)state;
	snprintf(below, sizeof(below), "%s/x", path);
	assert_int_equal(config_load(below, no_environment, &config, error, NULL), -ENOTDIR);
	assert_non_null(strstr(error, "cannot open it: Not a directory"));
	assert_int_equal(config_load("/nonexistent/x", no_environment, &config, error, NULL),
	                 -ENOENT);
	assert_string_equal(error, "/nonexistent/x: cannot open it: No such file or directory");
	assert_int_equal(config_load("/tmp", no_environment, &config, error, NULL), -EISDIR);
	assert_string_equal(error, "/tmp: cannot read it: Is a directory");

	for (size_t i = 0; i < sizeof(endless); i += 2)
		memcpy(endless + i, "/.", 2);
	memcpy(endless + sizeof(endless) - sizeof("/dev/null"), "/dev/null", sizeof("/dev/null"));
	assert_int_equal(config_load(endless, no_environment, &config, error, NULL), -ENAMETOOLONG);
	assert_non_null(strstr(error, "/./."));
}

/* Nobody has this file on a build machine; if somebody has, the test says nothing. */
static void test_no_file_is_the_defaults(void **state)
{
	(void)state;

	if (access(CONFIG_FILE_DEFAULT, F_OK) == 0)
		skip();
	assert_int_equal(config_load(NULL, no_environment, &config, error, NULL), 0);
	assert_string_equal(config.file, "");
	assert_int_equal(config.app_count, 1);

	char *const environment[] = { "TWINIT_APP_SURGE=3", NULL };
	assert_int_equal(config_load(NULL, environment, &config, error, NULL), -EINVAL);
	assert_string_equal(error, "[app www]: surge is more than replicas");
}

static char warnings[1024];

static void collect(const char *sentence)
{
	strncat(warnings, sentence, sizeof(warnings) - strlen(warnings) - 1);
	strncat(warnings, "\n", sizeof(warnings) - strlen(warnings) - 1);
}

static void test_the_environment_comes_last(void **state)
{
	static char long_name[300];
	char *const environment[] = {
		"PATH=/bin",
		"TWINIT_CONFIG=/etc/other.conf",
		"TWINIT_APP_REPLICAS=1",
		"TWINIT_ISOLATION=",
		"TWINIT_LOG_FORMAT={{.Service.Labels}}",
		"TWINIT_PORT=tcp://10.0.0.1:9000",
		"TWINIT_SESSION_WAIT=1s",
		"no equals sign",
		"TWINIT_X\n=1",
		long_name,
		NULL,
	};

	(void)state;
	memset(long_name, 'X', sizeof(long_name) - 1);
	memcpy(long_name, "TWINIT_", strlen("TWINIT_"));
	long_name[sizeof(long_name) - 3] = '=';
	const char *text = "[twinit]\nisolation = path\nlog_format = json\n"
			   "[app shop]\nreplicas = 3\n";
	write_file(text, strlen(text));
	warnings[0] = '\0';
	assert_int_equal(config_load(path, environment, &config, error, collect), 0);
	assert_int_equal(config.apps[0].replicas, 1);
	assert_int_equal(config.isolation, ISOLATION_PATH);
	assert_int_equal(config.log_format, LOG_FORMAT_JSON);
	assert_string_equal(warnings,
	                    "ignoring TWINIT_LOG_FORMAT, a template that nobody filled in: "
	                    "'{{.Service.Labels}}'\n"
	                    "ignoring the unknown environment variable 'TWINIT_PORT'\n"
	                    "ignoring the unknown environment variable 'TWINIT_SESSION_WAIT'\n"
	                    "ignoring the unknown environment variable 'TWINIT_X\\x0a'\n");

	assert_int_equal(config_load(path, environment, &config, error, NULL), 0);
}

/* Whatever its length, a variable that is none of ours is passed over. */
static void test_names_of_every_length(void **state)
{
	(void)state;

	write_file("", 0);
	for (size_t length = 250; length < 260; length++) {
		char variable[300] = "TWINIT_";
		char *const environment[] = { variable, NULL };

		memset(variable + strlen(variable), 'X', length - strlen(variable));
		memcpy(variable + length, "=1", sizeof("=1"));
		warnings[0] = '\0';
		assert_int_equal(config_load(path, environment, &config, error, collect), 0);
		if ((warnings[0] != '\0') != (length < 256))
			fail_msg("%zu bytes: says \"%s\"", length, warnings);
	}
}

static void test_a_bad_variable_is_an_error(void **state)
{
	char *const environment[] = { "TWINIT_ISOLATION=docker", NULL };

	(void)state;
	write_file("", 0);
	assert_int_equal(config_load(path, environment, &config, error, NULL), -EINVAL);
	assert_string_equal(error, "TWINIT_ISOLATION: 'docker' is not one of "
	                           "auto, namespace, path, none");
}

static const struct program {
	const char *on_event;
	const char *says; /* after where it was set; NULL: it will do */
} programs[] = {
	{ "/bin/sh -c true", NULL },
	{ "", NULL },
	{ "/bin/no-such-thing now", "'/bin/no-such-thing': No such file or directory" },
	{ "/tmp", "'/tmp': it is no file" },
	{ "/etc/passwd", "'/etc/passwd': it cannot be executed; try chmod +x" },
};

static void test_the_program_for_events_must_be_there(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		char text[200], variable[200], wanted[300];
		char *const environment[] = { variable, NULL };
		int r = programs[i].says ? -EINVAL : 0;

		snprintf(text, sizeof(text), "[twinit]\n\non_event = %s\n", programs[i].on_event);
		assert_int_equal(load(text), 0);
		assert_int_equal(hook_check(&config, error, sizeof(error)), r);
		snprintf(wanted, sizeof(wanted), "%s:3: on_event: %s", path,
		         programs[i].says ? programs[i].says : "");
		if (r < 0)
			assert_string_equal(error, wanted);

		snprintf(variable, sizeof(variable), "TWINIT_ON_EVENT=%s", programs[i].on_event);
		write_file("[twinit]\non_event = /bin/sh\n", 28);
		assert_int_equal(config_load(path, environment, &config, error, NULL), 0);
		assert_int_equal(hook_check(&config, error, sizeof(error)), r);
		snprintf(wanted, sizeof(wanted), "TWINIT_ON_EVENT: %s",
		         programs[i].says ? programs[i].says : "");
		if (r < 0)
			assert_string_equal(error, wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_file),
		cmocka_unit_test(test_an_empty_file_is_the_defaults),
		cmocka_unit_test(test_errors_say_where),
		cmocka_unit_test(test_the_longest_line),
		cmocka_unit_test(test_the_longest_section),
		cmocka_unit_test(test_a_nul_byte_is_refused),
		cmocka_unit_test(test_files_that_cannot_be_read),
		cmocka_unit_test(test_no_file_is_the_defaults),
		cmocka_unit_test(test_the_environment_comes_last),
		cmocka_unit_test(test_names_of_every_length),
		cmocka_unit_test(test_a_bad_variable_is_an_error),
		cmocka_unit_test(test_the_program_for_events_must_be_there),
	};

	return cmocka_run_group_tests_name("config/load", tests, make_file, remove_file);
}
