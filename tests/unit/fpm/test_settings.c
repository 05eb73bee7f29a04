#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fpm/settings.h"
#include "util/macros.h"

#define N    "[21-Nov-2026 10:01:41] NOTICE: "
#define POOL "[www]\nlisten = 9000\npm = static\npm.max_children = 5\n"
#define A64  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct fpm_settings settings;
static char why[512];

/* @config as `php-fpm -tt` would print it, taken apart. */
static int read_settings(const char *config, bool successful)
{
	size_t size = 0;
	char *output = NULL, *copy = strdup(config), *rest = copy;
	FILE *stream = open_memstream(&output, &size);
	struct fpm_dump dump;

	assert_non_null(stream);
	while (rest && *rest) {
		char *line = strsep(&rest, "\n");

		if (strncmp(line, "ERROR", 5) == 0)
			fprintf(stream, "%s\n", line);
		else
			fprintf(stream, N "%s%s\n", *line == '[' ? "" : "\t", line);
	}
	if (successful)
		fputs(N "configuration file x test is successful\n", stream);
	assert_int_equal(fclose(stream), 0);

	assert_int_equal(fpm_dump_parse(output, &dump), 0);
	int r = fpm_settings_from_dump(&dump, &settings, why, sizeof(why));
	fpm_dump_done(&dump);
	free(output);
	free(copy);
	return r;
}

static void test_a_whole_config(void **state)
{
	(void)state;
	assert_int_equal(read_settings("[global]\n"
	                               "error_log = /dev/null\n"
	                               "process.priority = -3\n"
	                               "rlimit_files = 2000\n"
	                               "rlimit_core = 0\n"
	                               "[www]\n"
	                               "user = www-data\n"
	                               "group = 33\n"
	                               "listen = /run/php/php.sock\n"
	                               "listen.backlog = 511\n"
	                               "listen.owner = a\n"
	                               "listen.group = b\n"
	                               "listen.mode = 0666\n"
	                               "pm = dynamic\n"
	                               "pm.max_children = 9\n"
	                               "pm.start_servers = 4\n"
	                               "pm.min_spare_servers = 2\n"
	                               "pm.max_spare_servers = 6\n"
	                               "pm.status_path = /status\n"
	                               "chroot = /var/www\n"
	                               "process.priority = 5\n"
	                               "rlimit_files = 3000\n"
	                               "rlimit_core = -1\n"
	                               "[second]\n"
	                               "listen = [::]:9001\n"
	                               "listen.backlog = undefined\n"
	                               "listen.mode = undefined\n"
	                               "pm = ondemand\n"
	                               "pm.max_children = 5\n"
	                               "pm.start_servers = -1\n"
	                               "chroot = undefined\n",
	                               true),
	                 0);
	assert_int_equal(settings.pool_count, 2);
	assert_int_equal(settings.rlimit_files, 3000);
	assert_true(settings.rlimit_core == UINT64_MAX);

	const struct fpm_pool *pool = &settings.pools[0];
	assert_string_equal(pool->name, "www");
	assert_string_equal(pool->listen, "/run/php/php.sock");
	assert_int_equal(pool->backlog, 511);
	assert_string_equal(pool->user, "www-data");
	assert_string_equal(pool->group, "33");
	assert_string_equal(pool->listen_owner, "a");
	assert_string_equal(pool->listen_group, "b");
	assert_int_equal(pool->listen_mode, 0666);
	assert_string_equal(pm_name(pool->pm), "dynamic");
	assert_int_equal(pool->max_children, 9);
	assert_int_equal(pool->start_servers, 4);
	assert_int_equal(pool->min_spare_servers, 2);
	assert_int_equal(pool->max_spare_servers, 6);
	assert_string_equal(pool->status_path, "/status");
	assert_true(pool->chrooted);
	assert_true(pool->has_priority);
	assert_int_equal(pool->priority, 5);

	pool = &settings.pools[1];
	assert_string_equal(pool->name, "second");
	assert_int_equal(pool->backlog, -1);
	assert_int_equal(pool->listen_mode, 0660);
	assert_string_equal(pool->user, "");
	assert_string_equal(pm_name(pool->pm), "ondemand");
	assert_int_equal(pool->start_servers, 0);
	assert_string_equal(pool->status_path, "/");
	assert_false(pool->chrooted);
	assert_true(pool->has_priority);
	assert_int_equal(pool->priority, -3);
}

static const struct {
	const char *says;
	const char *config;
	const char *sentence;
} refused[] = {
	{ "FPM's own words", "ERROR: [x.conf:3] unknown entry 'lsten'\n",
	  "[x.conf:3] unknown entry 'lsten'" },
	{ "FPM is silent", "", "php-fpm -tt did not say what is wrong" },
	{ "FPM fails late", POOL, "php-fpm -tt did not say what is wrong" },
	{ "no pool", "+[global]\npid = x\n", "php-fpm -tt shows no pool" },
	{ "no address", "+[www]\npm = static\npm.max_children = 1\nlisten = undefined\n",
	  "pool 'www': it has no listen address" },
	{ "no way to manage processes", "+[www]\nlisten = 1\npm = magic\n",
	  "pool 'www': pm is none of static, dynamic and ondemand" },
	{ "no workers", "+[www]\nlisten = 1\npm = static\npm.max_children = 0\n",
	  "pool 'www': pm.max_children is not set" },
	{ "less than no workers", "+[www]\nlisten = 1\npm = static\npm.max_children = -5\n",
	  "pool 'www': pm.max_children is not set" },
	{ "a number beyond all", "+[www]\nlisten = 1\npm = static\npm.max_children = 99999999999\n",
	  "pool 'www': pm.max_children is not set" },
	{ "a comma in the path", "+[www]\nlisten = /run/a,b\npm = static\npm.max_children = 1\n",
	  "pool 'www': listen has ',' or '=', which FPM_SOCKETS cannot carry" },
	{ "an equals sign in the path",
	  "+[www]\nlisten = /run/a=b\npm = static\npm.max_children = 1\n",
	  "pool 'www': listen has ',' or '=', which FPM_SOCKETS cannot carry" },
	{ "a path that is too long",
	  "+[www]\nlisten = /" A64 A64 A64 A64 "\npm = static\npm.max_children = 1\n",
	  "pool 'www': listen is longer than 255 bytes" },
	{ "a user that is too long", "+[www]\nuser = " A64 "\n",
	  "pool 'www': user is longer than 63 bytes" },
	{ "a name that is too long", "+[" A64 "]\nlisten = 1\n",
	  "pool '" A64 "': the name is longer than 63 bytes" },
	{ "a name of ours", "+[twinit-www]\nlisten = 1\npm = static\npm.max_children = 1\n",
	  "pool 'twinit-www': names that begin with twinit- are ours" },
	{ "a comma in the name", "+[a,b]\nlisten = 1\npm = static\npm.max_children = 1\n",
	  "pool 'a,b': the name has a character that cannot be used here" },
	{ "a slash in the name", "+[a/b]\nlisten = 1\npm = static\npm.max_children = 1\n",
	  "pool 'a/b': the name has a character that cannot be used here" },
	{ "a variable in the name", "+[a$b]\nlisten = 1\npm = static\npm.max_children = 1\n",
	  "pool 'a$b': the name has a character that cannot be used here" },
};

static void test_what_is_refused(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		bool successful = refused[i].config[0] == '+';
		int r = read_settings(refused[i].config + successful, successful);

		if (r != -EINVAL || strcmp(why, refused[i].sentence) != 0)
			fail_msg("%s: got %d, \"%s\"", refused[i].says, r, why);
	}
}

static void test_there_is_an_end_to_pools(void **state)
{
	char config[8192] = "";
	size_t length = 0;

	(void)state;
	for (int i = 0; i < POOLS_MAX; i++)
		length +=
			(size_t)sprintf(config + length,
		                        "[p%d]\nlisten = 1\npm = static\npm.max_children = 1\n", i);
	assert_int_equal(read_settings(config, true), 0);
	assert_int_equal(settings.pool_count, POOLS_MAX);
	sprintf(config + length, "[more]\nlisten = 1\npm = static\npm.max_children = 1\n");
	assert_int_equal(read_settings(config, true), -EINVAL);
	assert_string_equal(why, "there are more than 16 pools");
}

static const struct share_row {
	const char *says;
	struct fpm_pool pool;
	unsigned replicas, index;
	unsigned children, start, least, most;
} shares[] = {
#define STATIC(n)                                                                                  \
	{                                                                                          \
		.pm = PM_STATIC, .max_children = (n)                                               \
	}
#define DYNAMIC(n, s, l, m)                                                                        \
	{                                                                                          \
		.pm = PM_DYNAMIC, .max_children = (n), .start_servers = (s),                       \
		.min_spare_servers = (l), .max_spare_servers = (m)                                 \
	}
	{ "half", STATIC(10), 2, 0, 5, 0, 0, 0 },
	{ "the bigger half", STATIC(9), 2, 0, 5, 0, 0, 0 },
	{ "the smaller half", STATIC(9), 2, 1, 4, 0, 0, 0 },
	{ "all of it", STATIC(9), 1, 0, 9, 0, 0, 0 },
	{ "nobody gets none", STATIC(1), 4, 3, 1, 0, 0, 0 },
	{ "dynamic", DYNAMIC(20, 8, 4, 12), 2, 1, 10, 4, 2, 6 },
	{ "small and dynamic", DYNAMIC(5, 2, 1, 3), 2, 0, 3, 1, 1, 2 },
	{ "smaller still", DYNAMIC(5, 2, 1, 3), 2, 1, 2, 1, 1, 1 },
	{ "as small as can be", DYNAMIC(1, 1, 1, 1), 4, 3, 1, 1, 1, 1 },
	{ "more spares than workers", DYNAMIC(2, 2, 2, 2), 4, 0, 1, 1, 1, 1 },
	{ "a start below the spares", DYNAMIC(10, 1, 6, 8), 2, 0, 5, 3, 3, 4 },
};

static void test_shares(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		const struct share_row *row = &shares[i];
		struct fpm_pool share = fpm_pool_share(&row->pool, row->replicas, row->index);

		if (share.max_children != row->children || share.start_servers != row->start ||
		    share.min_spare_servers != row->least || share.max_spare_servers != row->most)
			fail_msg("%s: got %u, %u, %u, %u", row->says, share.max_children,
			         share.start_servers, share.min_spare_servers,
			         share.max_spare_servers);
	}
}

/* FPM refuses to start where one of these does not hold. */
static void assert_valid(const struct fpm_pool *pool)
{
	assert_in_range(pool->min_spare_servers, 1, pool->max_spare_servers);
	assert_in_range(pool->max_spare_servers, 1, pool->max_children);
	assert_in_range(pool->start_servers, pool->min_spare_servers, pool->max_spare_servers);
}

static void divide(const struct fpm_pool *pool)
{
	for (unsigned replicas = 1; replicas <= 4; replicas++) {
		unsigned sum = 0;

		for (unsigned i = 0; i < replicas; i++) {
			struct fpm_pool share = fpm_pool_share(pool, replicas, i);

			assert_valid(&share);
			sum += share.max_children;
		}
		assert_int_equal(sum,
		                 pool->max_children > replicas ? pool->max_children : replicas);
	}
}

static void test_every_share_is_one_that_fpm_takes(void **state)
{
	(void)state;

	for (unsigned children = 1; children <= 12; children++)
		for (unsigned most = 1; most <= children; most++)
			for (unsigned least = 1; least <= most; least++)
				for (unsigned start = least; start <= most; start++)
					divide(&(struct fpm_pool)DYNAMIC(children, start, least,
					                                 most));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_config),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_there_is_an_end_to_pools),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_every_share_is_one_that_fpm_takes),
	};

	return cmocka_run_group_tests_name("fpm/settings", tests, NULL, NULL);
}
