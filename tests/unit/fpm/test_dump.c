#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fpm/dump.h"
#include "util/macros.h"

#define AT     "[21-Nov-2026 10:01:41] "
#define NOTICE AT "NOTICE: "

static struct fpm_dump dump;
static char *text;

static void parse(const char *output)
{
	free(text);
	text = strdup(output);
	assert_non_null(text);
	fpm_dump_done(&dump);
	assert_int_equal(fpm_dump_parse(text, &dump), 0);
}

static int forget(void **state)
{
	(void)state;
	fpm_dump_done(&dump);
	fpm_dump_done(&dump); /* twice is fine */
	free(text);
	return 0;
}

/* As php-fpm 8.2 prints it, shortened. */
static const char whole[] = NOTICE
	"[global]\n" NOTICE "\tpid = undefined\n" NOTICE "\terror_log = /dev/null\n" NOTICE
	"\tlog_limit = 1024\n" NOTICE " \n" NOTICE "[www]\n" NOTICE "\tprefix = undefined\n" NOTICE
	"\tlisten = 127.0.0.1:9000\n" NOTICE "\tenv[B] = 2\n" NOTICE "\tenv[A] = $HOME\n" NOTICE
	"\tphp_value[memory_limit] = 64M\n" NOTICE "\tphp_value[memory_limit] = 128M\n" NOTICE
	"\tphp_admin_value[x] = undefined\n" NOTICE " \n" NOTICE "[a b]\n" NOTICE
	"\tlisten = 9001\n" NOTICE " \n" NOTICE
	"configuration file /etc/x.conf test is successful\n\n";

static void test_a_whole_dump(void **state)
{
	(void)state;
	parse(whole);

	assert_true(dump.successful);
	assert_string_equal(dump.problem, "");
	assert_string_equal(fpm_dump_get(&dump, "global", "error_log"), "/dev/null");
	assert_string_equal(fpm_dump_get(&dump, "global", "pid"), "");
	assert_string_equal(fpm_dump_get(&dump, "www", "prefix"), "");
	assert_string_equal(fpm_dump_get(&dump, "www", "listen"), "127.0.0.1:9000");
	assert_string_equal(fpm_dump_get(&dump, "a b", "listen"), "9001");
	assert_string_equal(fpm_dump_get(&dump, "www", "env[A]"), "$HOME");
	assert_string_equal(fpm_dump_get(&dump, "www", "env[C]"), "");
	assert_string_equal(fpm_dump_get(&dump, "other", "listen"), "");
	/* of two, the one printed last is the one PHP gets */
	assert_string_equal(fpm_dump_get(&dump, "www", "php_value[memory_limit]"), "128M");
	/* somebody's own word, not FPM's */
	assert_string_equal(fpm_dump_get(&dump, "www", "php_admin_value[x]"), "undefined");
	assert_string_equal(dump.directives[3].section, "www");
	assert_string_equal(dump.directives[3].key, "prefix");
}

static const struct {
	const char *says;
	const char *line; /* behind the tab */
	const char *key, *value;
} lines[] = {
	{ "plain", "pm = static", "pm", "static" },
	{ "an empty value", "php_value[a] = ", "php_value[a]", "" },
	{ "an arrow in the value", "php_value[a] = b = c", "php_value[a]", "b = c" },
	{ "an arrow in the index", "php_value[a = b] = c", "php_value[a = b]", "c" },
	{ "a bracket in the value", "access.format = %{x}[1] = 2", "access.format", "%{x}[1] = 2" },
	{ "an end of an index in the value", "env[a] = b] = c", "env[a]", "b] = c" },
	{ "blanks around the value", "php_value[g] =   lead and trail  ", "php_value[g]",
	  "  lead and trail  " },
	{ "a list", "access.suppress_path[] = /x", "access.suppress_path[]", "/x" },
	{ "bytes that are no text", "env[a] = \x01\x7f\xff\r\t", "env[a]", "\x01\x7f\xff\r\t" },
	{ "no arrow", "something else", NULL, NULL },
	{ "no end of the index", "env[a = b", NULL, NULL },
	{ "no value behind the index", "env[a]", NULL, NULL },
	{ "nothing", "", NULL, NULL },
};

static void test_lines(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char output[256];

		snprintf(output, sizeof(output), NOTICE "[www]\n" NOTICE "\t%s\n", lines[i].line);
		parse(output);
		if (dump.count != (lines[i].key != NULL))
			fail_msg("%s: got %zu", lines[i].says, dump.count);
		if (lines[i].key && (strcmp(dump.directives[0].key, lines[i].key) != 0 ||
		                     strcmp(dump.directives[0].value, lines[i].value) != 0))
			fail_msg("%s: got %s, %s", lines[i].says, dump.directives[0].key,
			         dump.directives[0].value);
	}
}

static const struct {
	const char *says;
	const char *output;
	const char *problem;
} problems[] = {
	{ "the first is told",
	  AT "ERROR: [/etc/php/x.conf:12] unknown entry 'lsten'\n" AT
	     "ERROR: failed to load configuration file 'x'\n",
	  "[/etc/php/x.conf:12] unknown entry 'lsten'" },
	{ "an alert", AT "ALERT: [pool www] no listen address have been defined!\n",
	  "[pool www] no listen address have been defined!" },
	{ "a bad line is told with its file",
	  "PHP:  syntax error, unexpected '=' in Unknown on line 1\n" AT
	  "ERROR: Unable to include /a.conf from /b.conf at line 6\n",
	  "Unable to include /a.conf from /b.conf at line 6: syntax error, unexpected '=' "
	  "(does the value need quotes?)" },
	{ "a bad line in other words", "PHP:  what\n" AT "ERROR: x\n",
	  "x: what (does the value need quotes?)" },
	{ "to syslog", "[ERROR] x\n", "" },
	{ "without a time", "ERROR: x\n", "x" },
	{ "a warning is no problem", AT "WARNING: x\n", "" },
	{ "a notice about a pool is none",
	  NOTICE "[pool www] 'user' directive is ignored when FPM is not running as root\n", "" },
};

static void test_problems(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(problems); i++) {
		parse(problems[i].output);
		if (strcmp(dump.problem, problems[i].problem) != 0)
			fail_msg("%s: says \"%s\"", problems[i].says, dump.problem);
		assert_false(dump.successful);
		assert_int_equal(dump.count, 0);
	}
}

static void test_an_endless_problem_is_cut(void **state)
{
	char output[2000];

	(void)state;
	memset(output, 'x', sizeof(output));
	memcpy(output, "ERROR: ", strlen("ERROR: "));
	output[sizeof(output) - 1] = '\0';
	parse(output);
	assert_int_equal(strlen(dump.problem), sizeof(dump.problem) - 1);
}

static const struct {
	const char *says;
	unsigned log_limit;
	size_t length; /* of the line */
	const char *end;
	bool cut;
} cuts[] = {
	{ "cut to the limit", 1024, 1023, "...", true },
	{ "cut to FPM's buffer", 8192, 2047, "...", true },
	{ "cut to FPM's buffer, with a small limit", 1024, 2047, "...", true },
	{ "a smaller limit", 512, 511, "...", true },
	{ "dots of its own", 1024, 1022, "...", false },
	{ "more dots of its own", 1024, 1024, "...", false },
	{ "longer than the limit, but whole", 1024, 1500, "xxx", false },
	{ "just the length", 1024, 1023, "xxx", false },
	{ "no limit that could be", 0, 1023, "...", false },
};

static void test_cut_values_are_known_as_such(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		char output[4096];
		int n = snprintf(output, sizeof(output),
		                 NOTICE "[global]\n" NOTICE "\tlog_limit = %u\n" NOTICE "[www]\n",
		                 cuts[i].log_limit);
		char *line = output + n;

		memset(line, 'x', cuts[i].length);
		memcpy(line, NOTICE "\tenv[A] = ", strlen(NOTICE "\tenv[A] = "));
		memcpy(line + cuts[i].length - 3, cuts[i].end, 4);
		parse(output);
		if (dump.directives[1].cut != cuts[i].cut)
			fail_msg("%s", cuts[i].says);
		assert_false(dump.directives[0].cut);
	}
}

/* Anything may come: no prefix of a dump is read beyond its end, and a NUL ends it. */
static void test_every_prefix(void **state)
{
	(void)state;

	for (size_t length = 0; length <= sizeof(whole) - 1; length++) {
		char *piece = strndup(whole, length);

		assert_non_null(piece);
		parse(piece);
		free(piece);
		assert_int_equal(dump.successful, length >= sizeof(whole) - 3);
	}
}

static void test_oddities(void **state)
{
	static const char *const odd[] = {
		"[",
		"[]",
		"[] ",
		"] ",
		"...",
		"..",
		"[x] ",
		NOTICE,
		NOTICE "[",
		NOTICE "[]",
		NOTICE "]",
		NOTICE "\t",
		NOTICE "\ta = b",
		NOTICE "[a]b]",
		NOTICE "configuration file x",
		"\n\n\n",
		"PHP:  ",
		"ERROR: ",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		parse(odd[i]);
		assert_int_equal(dump.count, 0);
		assert_false(dump.successful);
	}
}

static void test_many_directives(void **state)
{
	size_t size = 0;
	char *output = NULL;
	FILE *stream = open_memstream(&output, &size);

	(void)state;
	assert_non_null(stream);
	fputs(NOTICE "[www]\n", stream);
	for (int i = 0; i < 1000; i++)
		fprintf(stream, NOTICE "\tenv[%d] = %d\n", i, i);
	assert_int_equal(fclose(stream), 0);
	parse(output);
	free(output);
	assert_int_equal(dump.count, 1000);
	assert_string_equal(fpm_dump_get(&dump, "www", "env[999]"), "999");
}

static const char info[] = "phpinfo()\n"
			   "PHP Version => 8.2.36\n"
			   "\n"
			   "Core\n"
			   "Directive => Local Value => Master Value\n"
			   "memory_limit => 128M => 128M\n"
			   "open_basedir => no value => no value\n"
			   "arrow => a => b => a => b\n"
			   "empty =>  => \n"
			   "half => a => b\n"
			   "display_errors => Off => Off\n"
			   "Environment\n"
			   "\n"
			   "session.save_path => tcp://evil => tcp://evil\n";

static const struct {
	const char *says;
	const char *setting;
	const char *value;
} settings[] = {
	{ "php.ini's value", "display_errors", "Off" },
	{ "the pool's value beats it", "memory_limit", "64M" },
	{ "php_admin_value beats that", "date.timezone", "UTC" },
	{ "even an empty one", "user_agent", "" },
	{ "no value", "open_basedir", "" },
	{ "an arrow in the value", "arrow", "a => b" },
	{ "an empty value", "empty", "" },
	{ "two different values are no setting", "half", "" },
	{ "other facts are no settings", "PHP Version", "" },
	{ "the environment is no php.ini", "session.save_path", "" },
	{ "what nobody set", "doc_root", "" },
};

static void test_php_settings(void **state)
{
	(void)state;
	parse(NOTICE "[www]\n" NOTICE "\tphp_value[user_agent] = x\n" NOTICE
	             "\tphp_value[date.timezone] = Europe/Rome\n" NOTICE
	             "\tphp_value[memory_limit] = 64M\n" NOTICE
	             "\tphp_admin_value[user_agent] = \n" NOTICE
	             "\tphp_admin_value[date.timezone] = UTC\n" NOTICE "[other]\n" NOTICE
	             "\tphp_value[display_errors] = 1\n");
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		char value[64] = "x";
		int r = fpm_dump_php_setting(&dump, info, "www", settings[i].setting, value,
		                             sizeof(value));

		if (r != 0 || strcmp(value, settings[i].value) != 0)
			fail_msg("%s: got %d, \"%s\"", settings[i].says, r, value);
	}
}

static void test_a_setting_that_does_not_fit(void **state)
{
	char value[4];

	(void)state;
	parse(NOTICE "[www]\n" NOTICE "\tphp_value[a] = 1234\n" NOTICE "\tphp_value[b] = 123\n");
	assert_int_equal(fpm_dump_php_setting(&dump, "", "www", "a", value, sizeof(value)),
	                 -ENAMETOOLONG);
	assert_int_equal(fpm_dump_php_setting(&dump, "", "www", "b", value, sizeof(value)), 0);
	assert_int_equal(
		fpm_dump_php_setting(&dump, info, "www", "memory_limit", value, sizeof(value)),
		-ENAMETOOLONG);
}

static void test_a_setting_that_was_cut(void **state)
{
	char output[2048 + 64], value[4096];
	char *line = output + sprintf(output, NOTICE "[www]\n");

	(void)state;
	memset(line, 'x', 1023);
	memcpy(line, NOTICE "\tphp_value[a] = ", strlen(NOTICE "\tphp_value[a] = "));
	memcpy(line + 1020, "...", 4);
	parse(output);
	assert_int_equal(fpm_dump_php_setting(&dump, "", "www", "a", value, sizeof(value)),
	                 -ENAMETOOLONG);
}

static void test_settings_come_one_by_one(void **state)
{
	static const char *const names[] = { "memory_limit", "open_basedir", "arrow", "empty",
		                             "display_errors" };
	const char *at = info;
	struct fpm_ini ini;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_true(fpm_info_next(&at, &ini));
		assert_int_equal(ini.name_length, strlen(names[i]));
		assert_memory_equal(ini.name, names[i], ini.name_length);
	}
	assert_false(fpm_info_next(&at, &ini));
	assert_false(fpm_info_next(&at, &ini));

	for (size_t length = 0; length < sizeof(info); length++) {
		char *piece = strndup(info, length);

		at = piece;
		while (fpm_info_next(&at, &ini))
			;
		free(piece);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_dump),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_an_endless_problem_is_cut),
		cmocka_unit_test(test_cut_values_are_known_as_such),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_oddities),
		cmocka_unit_test(test_many_directives),
		cmocka_unit_test(test_php_settings),
		cmocka_unit_test(test_a_setting_that_does_not_fit),
		cmocka_unit_test(test_a_setting_that_was_cut),
		cmocka_unit_test(test_settings_come_one_by_one),
	};

	return cmocka_run_group_tests_name("fpm/dump", tests, NULL, forget);
}
