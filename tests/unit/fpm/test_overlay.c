#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fpm/overlay.h"
#include "util/macros.h"

#define N "[21-Nov-2026 10:01:41] NOTICE: "

static char why[512];

/* What a replica is started with, from what `php-fpm -tt` and `php-fpm -i` would print. */
static char *write_overlay_with(const char *directives, const char *info,
                                const struct overlay_pin *pin, bool pages, int wanted)
{
	static const char *const listen[] = { "127.0.0.1:9000", "9001" };
	char *printed = NULL, *overlay_text = NULL, *rest, *copy = strdup(directives);
	size_t size;
	FILE *stream = open_memstream(&printed, &size);
	struct fpm_settings settings;
	struct fpm_dump dump;

	assert_non_null(stream);
	for (rest = copy; rest && *rest;) {
		char *line = strsep(&rest, "\n");

		fprintf(stream, N "%s%s\n", *line == '[' ? "" : "\t", line);
	}
	fputs(N "configuration file x test is successful\n", stream);
	assert_int_equal(fclose(stream), 0);
	assert_int_equal(fpm_dump_parse(printed, &dump), 0);
	if (fpm_settings_from_dump(&dump, &settings, why, sizeof(why)) < 0)
		fail_msg("%s", why);

	const struct overlay overlay = {
		.fpm_config = "/etc/php/fpm.conf",
		.pid_file = "/run/p",
		.error_log = "/proc/self/fd/2",
		.process_control_timeout_ms = 30001,
		.listen = listen,
		.shares = &settings,
		.pages = pages,
		.pin = pin,
	};
	stream = open_memstream(&overlay_text, &size);
	assert_non_null(stream);
	int r = overlay_write(stream, &overlay, &dump, info, why, sizeof(why));
	assert_int_equal(fclose(stream), 0);
	fpm_dump_done(&dump);
	free(printed);
	free(copy);
	if (r != wanted)
		fail_msg("got %d, \"%s\"", r, why);
	return overlay_text;
}

static char *write_overlay(const char *directives, const char *info, const struct overlay_pin *pin,
                           int wanted)
{
	return write_overlay_with(directives, info, pin, false, wanted);
}

#define STATIC "[www]\nlisten = 9000\npm = static\npm.max_children = 5\n"

#define GLOBAL                                                                                     \
	"[global]\n"                                                                               \
	"include = '/etc/php/fpm.conf'\n"                                                          \
	"[global]\n"                                                                               \
	"daemonize = no\n"                                                                         \
	"emergency_restart_threshold = 0\n"                                                        \
	"process_control_timeout = 31s\n"

#define PROBE(name)                                                                                \
	"[twinit-" name "]\n"                                                                      \
	"pm = ondemand\n"                                                                          \
	"pm.max_children = 4\n"                                                                    \
	"pm.process_idle_timeout = 10s\n"                                                          \
	"ping.path = /twinit-ping\n"                                                               \
	"listen = '/nonexistent/twinit/" name ".probe'\n"

#define HAND(name)                                                                                 \
	"[twinit-" name "-hand]\n"                                                                 \
	"pm = ondemand\n"                                                                          \
	"pm.max_children = 4\n"                                                                    \
	"pm.process_idle_timeout = 10s\n"                                                          \
	"pm.max_requests = 1\n"                                                                    \
	"ping.path = /twinit-ping\n"                                                               \
	"listen = '/nonexistent/twinit/" name ".hand'\n"

#define LEAST "security.limit_extensions = \"\"\n"

static void test_the_least_overlay(void **state)
{
	(void)state;
	char *text = write_overlay(STATIC, "", NULL, 0);

	assert_string_equal(text, GLOBAL
	                    "error_log = '/proc/self/fd/2'\n"
	                    "[www]\n"
	                    "pm.max_children = 5\n"
	                    "listen = '127.0.0.1:9000'\n"
	                    "pm.status_listen = '/nonexistent/twinit/www.status'\n" PROBE("www")
	                            LEAST HAND("www") LEAST);
	free(text);
}

static void test_the_first_pool_has_one_for_pages(void **state)
{
	(void)state;
	char *text = write_overlay_with("[global]\nprocess.max = 20\n" STATIC
	                                "php_admin_value[memory_limit] = 64M\n"
	                                "[api]\nlisten = 9001\npm = static\npm.max_children = 2\n",
	                                "", NULL, true, 0);
	const char *pages = strstr(text, "[twinit-www-pages]\n"
	                                 "pm = ondemand\n"
	                                 "pm.max_children = 4\n"
	                                 "pm.process_idle_timeout = 10s\n"
	                                 "listen = '/nonexistent/twinit/www.pages'\n");

	assert_non_null(pages);
	assert_non_null(strstr(pages, "php_admin_value[memory_limit] = "));
	assert_null(strstr(text, "[twinit-api-pages]"));
	/* 20, 6 of ours for each pool, 4 for pages, 4 by hand */
	assert_non_null(strstr(text, "process.max = 40\n"));
	free(text);
}

#define INHERITED                                                                                  \
	"clear_env = no\n"                                                                         \
	"catch_workers_output = yes\n"                                                             \
	"decorate_workers_output = no\n"                                                           \
	"process.dumpable = no\n"                                                                  \
	"request_terminate_timeout_track_finished = yes\n"                                         \
	"user = 'www-data'\n"                                                                      \
	"chroot = '/var/www'\n"                                                                    \
	"chdir = '/html'\n"                                                                        \
	"request_terminate_timeout = '300s'\n"                                                     \
	"security.limit_extensions = '.php .phar'\n"                                               \
	"php_admin_value[open_basedir] = '/srv/app/current'\n"                                     \
	"php_value[x] = 'first'\n"                                                                 \
	"php_value[x] = 'second'\n"                                                                \
	"env[A] = '$HOME'\n"                                                                       \
	"env[B] = '2'\n"

static void test_all_that_a_probe_pool_inherits(void **state)
{
	(void)state;
	char *text = write_overlay("[global]\n"
	                           "pid = /run/php/fpm.pid\n"
	                           "process.max = 10\n"
	                           "[www]\n"
	                           "prefix = undefined\n"
	                           "user = www-data\n"
	                           "group = undefined\n"
	                           "listen = 127.0.0.1:9000\n"
	                           "process.dumpable = no\n"
	                           "pm = dynamic\n"
	                           "pm.max_children = 9\n"
	                           "pm.start_servers = 4\n"
	                           "pm.min_spare_servers = 2\n"
	                           "pm.max_spare_servers = 6\n"
	                           "pm.status_path = /status\n"
	                           "access.log = /var/log/a.log\n"
	                           "access.suppress_path[] = /ping\n"
	                           "request_terminate_timeout = 300s\n"
	                           "request_terminate_timeout_track_finished = yes\n"
	                           "chroot = /var/www\n"
	                           "chdir = /html\n"
	                           "catch_workers_output = yes\n"
	                           "decorate_workers_output = no\n"
	                           "clear_env = no\n"
	                           "security.limit_extensions = .php .phar\n"
	                           "env[B] = 2\n"
	                           "env[A] = $HOME\n"
	                           "php_value[x] = second\n"
	                           "php_value[x] = first\n"
	                           "php_admin_value[open_basedir] = /srv/app/current\n"
	                           "[two]\n"
	                           "listen = 9001\n"
	                           "pm = ondemand\n"
	                           "pm.max_children = 3\n",
	                           "", NULL, 0);

	assert_string_equal(text, GLOBAL
	                    "process.max = 26\n"
	                    "pid = '/run/p'\n"
	                    "error_log = '/proc/self/fd/2'\n"
	                    "[www]\n"
	                    "pm.max_children = 9\n"
	                    "pm.start_servers = 4\n"
	                    "pm.min_spare_servers = 2\n"
	                    "pm.max_spare_servers = 6\n"
	                    "listen = '127.0.0.1:9000'\n"
	                    "pm.status_listen = '/nonexistent/twinit/www.status'\n" PROBE("www")
	                            INHERITED HAND("www") INHERITED
	                    "[two]\n"
	                    "pm.max_children = 3\n"
	                    "listen = '9001'\n"
	                    "pm.status_listen = '/nonexistent/twinit/two.status'\n" PROBE(
				    "two") "security.limit_extensions = \"\"\n");
	free(text);
}

#define PINNED                                                                                     \
	"chdir = '/srv/app/releases/7'\n"                                                          \
	"security.limit_extensions = \"\"\n"                                                       \
	"php_admin_value[doc_root] = '/srv/app/releases/7/public'\n"                               \
	"php_admin_value[auto_prepend_file] = "                                                    \
	"'/run/twinit/prepend-www.php'\n"                                                          \
	"php_value[include_path] = '.:/srv/app/releases/7/lib'\n"                                  \
	"php_admin_value[sys_temp_dir] = '/srv/app/releases/7/tmp'\n"                              \
	"php_admin_value[open_basedir] = "                                                         \
	"'/srv/app/releases/7:/tmp:/run/twinit/prepend-www.php'\n"                                 \
	"php_value[b] = '/srv/app/releases/7/first'\n"                                             \
	"php_value[b] = 'second'\n"                                                                \
	"php_value[a] = 'first'\n"                                                                 \
	"php_value[a] = '/srv/app/releases/7/second'\n"                                            \
	"php_value[user_dir] = '/home'\n"                                                          \
	"env[ROOT] = '/srv/app/releases/7'\n"                                                      \
	"env[OTHER] = '/srv/app/currently'\n"

static const struct overlay_pin pin = {
	.link = "/srv/app/current",
	.release = "/srv/app/releases/7",
	.docroot = "public",
	.prepend = "/run/twinit/prepend-",
};

static const char info[] = "include_path => .:/srv/app/current/lib => .:/srv/app/current/lib\n"
			   "sys_temp_dir => /srv/app/current/tmp => /srv/app/current/tmp\n"
			   "memory_limit => 128M => 128M\n"
			   "user_dir => /srv/app/current/u => /srv/app/current/u\n"
			   "doc_root => /srv/app/current => /srv/app/current\n"
			   "auto_prepend_file => /srv/app/current/p => /srv/app/current/p\n";

static void test_path_isolation(void **state)
{
	(void)state;
	char *text =
		write_overlay(STATIC "chdir = /srv/app/current\n"
	                             "env[OTHER] = /srv/app/currently\n"
	                             "env[ROOT] = /srv/app/current\n"
	                             "php_value[user_dir] = /home\n"
	                             "php_value[a] = /srv/app/current/second\n"
	                             "php_value[a] = first\n"
	                             "php_value[b] = second\n"
	                             "php_value[b] = /srv/app/current/first\n"
	                             "php_admin_value[auto_prepend_file] = /srv/app/current/p.php\n"
	                             "php_admin_value[open_basedir] = /srv/app/current:/tmp\n",
	                      info, &pin, 0);

	/* what is said first wins, so this comes before the operator's config */
	assert_string_equal(
		text, "[www]\n"
		      "php_admin_value[doc_root] = '/srv/app/releases/7/public'\n"
		      "php_admin_value[auto_prepend_file] = '/run/twinit/prepend-www.php'\n"
		      "php_value[include_path] = '.:/srv/app/releases/7/lib'\n"
		      "php_admin_value[sys_temp_dir] = '/srv/app/releases/7/tmp'\n"
		      "php_admin_value[open_basedir] = "
		      "'/srv/app/releases/7:/tmp:/run/twinit/prepend-www.php'\n"
		      "php_value[b] = '/srv/app/releases/7/first'\n"
		      "env[ROOT] = '/srv/app/releases/7'\n" GLOBAL "error_log = '/proc/self/fd/2'\n"
		      "[www]\n"
		      "pm.max_children = 5\n"
		      "listen = '127.0.0.1:9000'\n"
		      "pm.status_listen = '/nonexistent/twinit/www.status'\n"
		      "chdir = '/srv/app/releases/7'\n" PROBE("www") PINNED HAND("www") PINNED);
	free(text);
}

static void test_open_basedir_of_php_ini_lets_the_prepended_file_in(void **state)
{
	const struct overlay_pin no_docroot = {
		.link = "/srv/app/current",
		.release = "/r",
		.docroot = "",
		.prepend = "/p-",
	};

	(void)state;
	char *text = write_overlay(STATIC, "open_basedir => /tmp => /tmp\n", &no_docroot, 0);
	assert_non_null(strstr(text, "php_admin_value[doc_root] = '/r'\n"));
	assert_non_null(strstr(text, "php_value[open_basedir] = '/tmp:/p-www.php'\n"));
	free(text);

	text = write_overlay(STATIC, "open_basedir => no value => no value\n", &no_docroot, 0);
	assert_null(strstr(text, "open_basedir"));
	free(text);

	text = write_overlay(STATIC "php_value[open_basedir] = \n", "", &no_docroot, 0);
	assert_non_null(strstr(text, "php_value[open_basedir] = \"\"\n"));
	free(text);
}

/* php-fpm 8.2 read each of these back as it was (-tt, getenv and ini_get). */
static const struct {
	const char *says;
	const char *value;
	const char *line;
} quoted[] = {
	{ "plain", "a", "'a'" },
	{ "an empty value", "", "\"\"" },
	{ "a single quote", "'", "\"'\"" },
	{ "one in the middle", "a'b", "'a'\"'\"'b'" },
	{ "two at the end", "a''", "'a'\"''\"" },
	{ "double quotes", "\"a\"", "'\"a\"'" },
	{ "both", "\"'", "'\"'\"'\"" },
	{ "a backslash at the end", "a\\", "'a\\'" },
	{ "a backslash before a quote", "\\'", "'\\'\"'\"" },
	{ "a variable", "${HOME}", "'${HOME}'" },
	{ "what an unquoted value must not have", "a=b&c;d#e|f^g~h(i)j!k",
	  "'a=b&c;d#e|f^g~h(i)j!k'" },
	{ "blanks around it", "  x ", "'  x '" },
	{ "a format", "100%s%n", "'100%s%n'" },
	{ "words that mean something", "yes", "'yes'" },
	{ "other bytes", "\x01\x7f\xff\r", "'\x01\x7f\xff\r'" },
};

static void test_quoting(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(quoted); i++) {
		char directives[256], line[256];

		snprintf(directives, sizeof(directives), STATIC "env[X] = %s\n", quoted[i].value);
		snprintf(line, sizeof(line), "\nenv[X] = %s\n", quoted[i].line);
		char *text = write_overlay(directives, "", NULL, 0);
		if (!strstr(text, line))
			fail_msg("%s: %s", quoted[i].says, text);
		free(text);
	}
}

static const struct {
	const char *says;
	const char *value;
	const char *resolved;
} resolved[] = {
	{ "the link", "/srv/app/current", "/srv/app/releases/7" },
	{ "a path through it", "/srv/app/current/a/b", "/srv/app/releases/7/a/b" },
	{ "a directory", "/srv/app/current/", "/srv/app/releases/7/" },
	{ "in a list", "/a:/srv/app/current:.:/srv/app/current/b",
	  "/a:/srv/app/releases/7:.:/srv/app/releases/7/b" },
	{ "an empty list", "", "" },
	{ "empty elements", ":/srv/app/current::", ":/srv/app/releases/7::" },
	{ "a longer name", "/srv/app/current2", "/srv/app/current2" },
	{ "a shorter name", "/srv/app", "/srv/app" },
	{ "in the middle of a path", "/x/srv/app/current", "/x/srv/app/current" },
	{ "the release's own path", "/srv/app/releases/6", "/srv/app/releases/6" },
	{ "an address", "tcp://redis:6379?database=2", "tcp://redis:6379?database=2" },
};

static void test_resolve(void **state)
{
	char to[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(resolved); i++) {
		assert_int_equal(overlay_resolve(&pin, resolved[i].value, to, sizeof(to)), 0);
		if (strcmp(to, resolved[i].resolved) != 0)
			fail_msg("%s: got %s", resolved[i].says, to);
	}
	assert_int_equal(overlay_resolve(&pin, "/srv/app/current", to, 19), -ENAMETOOLONG);
	assert_int_equal(overlay_resolve(&pin, "/srv/app/current", to, 20), 0);
}

static void assert_refused(const char *directives, const char *info_text,
                           const struct overlay_pin *with, const char *sentence)
{
	free(write_overlay(directives, info_text, with, -EINVAL));
	assert_string_equal(why, sentence);
}

static void test_what_cannot_be_written(void **state)
{
	struct overlay_pin broken = pin;

	(void)state;
	assert_refused(STATIC "env[a\"b] = x\n", "", NULL,
	               "pool www: env[a\"b] cannot be written as a key");
	assert_refused(STATIC "chroot = /var/www\n", "", &pin,
	               "pool www: chroot and isolation = path do not go together");
	broken.docroot = "a\nb";
	assert_refused(STATIC, "", &broken,
	               "pool www: php_admin_value[doc_root] has a line break, "
	               "which FPM cannot read");
	broken = pin;
	broken.prepend = "/p\n";
	assert_refused(STATIC, "", &broken,
	               "pool www: php_admin_value[auto_prepend_file] has a line break, "
	               "which FPM cannot read");
	broken.prepend = "/p";
	broken.release = "/r\n";
	assert_refused(STATIC "chdir = /srv/app/current\n", "", &broken,
	               "pool www: php_admin_value[doc_root] has a line break, "
	               "which FPM cannot read");
	assert_refused(STATIC "env[a;b] = /srv/app/current\n", "", &pin,
	               "pool www: env[a;b] cannot be written as a key");
	assert_refused(STATIC, "a;b => /srv/app/current => /srv/app/current\n", &pin,
	               "pool www: php_admin_value[a;b] cannot be written as a key");
}

/* @n times @text in memory that the caller frees. */
static char *repeat(const char *before, const char *text, size_t n, const char *after)
{
	char *to = malloc(strlen(before) + n * strlen(text) + strlen(after) + 1);

	assert_non_null(to);
	char *end = stpcpy(to, before);
	while (n-- > 0)
		end = stpcpy(end, text);
	stpcpy(end, after);
	return to;
}

static void test_values_without_end(void **state)
{
	char *value = repeat(STATIC "chdir = ", "x", 20000, "\n");
	char *list = repeat(STATIC "env[A] = ", "/srv/app/current:", 1000, "\n");

	(void)state;
	assert_refused(value, "", NULL, "pool www: chdir is too long");
	assert_refused(value, "", &pin, "pool www: chdir is too long");
	assert_refused(list, "", &pin, "pool www: env[A] is too long");
	free(value);
	free(list);
}

/* FPM prints 2047 bytes of a line at most: the beginning alone must not get into the probe pool. */
static void test_values_that_fpm_cut(void **state)
{
	size_t fill = 1023 - strlen(N "\tenv[A] = ...");
	char *plain = repeat(STATIC "env[A] = ", "x", fill, "...\nenv[B] = 1\n");
	char *linked = repeat(STATIC "env[A] = /srv/app/current/", "x",
	                      fill - strlen("/srv/app/current/"), "...\nenv[B] = 1\n");

	(void)state;
	char *text = write_overlay(plain, "", NULL, 0);
	assert_null(strstr(text, "env[A]"));
	assert_non_null(strstr(text, "env[B]"));
	free(text);
	assert_refused(linked, "", &pin,
	               "pool www: env[A] is too long for php-fpm -tt to print, "
	               "and has the release link");
	free(plain);
	free(linked);
}

static void write_full(const struct fpm_settings *settings, const char *config, int wanted)
{
	static const char *const listen[] = { "9000" };
	const struct overlay overlay = {
		.fpm_config = config,
		.pid_file = "/run/p",
		.error_log = "/proc/self/fd/2",
		.listen = listen,
		.shares = settings,
	};
	const struct fpm_dump nothing = { .count = 0 };
	FILE *full = fopen("/dev/full", "we");

	assert_non_null(full);
	assert_int_equal(overlay_write(full, &overlay, &nothing, "", why, sizeof(why)), wanted);
	(void)fclose(full);
}

static void test_a_full_disk(void **state)
{
	const struct fpm_settings settings = { .pool_count = 1, .pools = { { .name = "www" } } };
	FILE *full = fopen("/dev/full", "we");

	(void)state;
	write_full(&settings, "/x", -EIO);
	write_full(&settings, "/x\n", -EINVAL);
	assert_non_null(full);
	assert_int_equal(overlay_write_dump(full, "/x"), -EIO);
	(void)fclose(full);
}

/* Whatever we call things, a line break in it is no way out of the line. */
static void test_our_own_values_are_checked_as_well(void **state)
{
	static const char *const bad_listen[] = { "90\n00" };
	static const char *const listen[] = { "9000" };
	const struct fpm_settings settings = { .pool_count = 1, .pools = { { .name = "www" } } };
	struct fpm_directive pid = { "global", "pid", "/run/x.pid", false };
	const struct fpm_dump dump = { .directives = &pid, .count = 1 };
	struct overlay overlay = { .fpm_config = "/x",
		                   .pid_file = "/p",
		                   .error_log = "/e\n",
		                   .listen = listen,
		                   .shares = &settings };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	assert_int_equal(overlay_write(out, &overlay, &dump, "", why, sizeof(why)), -EINVAL);
	overlay.pid_file = "/p\n";
	assert_int_equal(overlay_write(out, &overlay, &dump, "", why, sizeof(why)), -EINVAL);
	overlay.pid_file = "/p";
	overlay.error_log = "/e";
	overlay.listen = bad_listen;
	assert_int_equal(overlay_write(out, &overlay, &dump, "", why, sizeof(why)), -EINVAL);
	assert_int_equal(fclose(out), 0);
	assert_non_null(strstr(text, "process_control_timeout = 1s\n")); /* never none */
	free(text);
}

static void test_the_dump_config(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	assert_int_equal(overlay_write_dump(out, "/x\ny"), -EINVAL);
	rewind(out);
	assert_int_equal(overlay_write_dump(out, "/etc/it's.conf"), 0);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "[global]\n"
	                          "include = '/etc/it'\"'\"'s.conf'\n"
	                          "[global]\n"
	                          "error_log = /dev/null\n"
	                          "log_level = notice\n");
	free(text);
}

static void test_decoys_differ(void **state)
{
	char a[LISTEN_SIZE], b[LISTEN_SIZE], c[LISTEN_SIZE], d[LISTEN_SIZE], e[LISTEN_SIZE];

	(void)state;
	overlay_decoy_listen("www", a);
	overlay_decoy_status("www", b);
	overlay_decoy_probe("www", c);
	overlay_decoy_pages("www", d);
	overlay_decoy_hand("www", e);
	assert_string_equal(a, "/nonexistent/twinit/www.listen");
	assert_string_equal(b, "/nonexistent/twinit/www.status");
	assert_string_equal(c, "/nonexistent/twinit/www.probe");
	assert_string_equal(d, "/nonexistent/twinit/www.pages");
	assert_string_equal(e, "/nonexistent/twinit/www.hand");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_least_overlay),
		cmocka_unit_test(test_the_first_pool_has_one_for_pages),
		cmocka_unit_test(test_all_that_a_probe_pool_inherits),
		cmocka_unit_test(test_path_isolation),
		cmocka_unit_test(test_open_basedir_of_php_ini_lets_the_prepended_file_in),
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_what_cannot_be_written),
		cmocka_unit_test(test_values_without_end),
		cmocka_unit_test(test_values_that_fpm_cut),
		cmocka_unit_test(test_a_full_disk),
		cmocka_unit_test(test_our_own_values_are_checked_as_well),
		cmocka_unit_test(test_the_dump_config),
		cmocka_unit_test(test_decoys_differ),
	};

	return cmocka_run_group_tests_name("fpm/overlay", tests, NULL, NULL);
}
