#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "question/limits.h"
#include "util/macros.h"

static char cgroup[64];

static void put(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", cgroup, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void put_dir(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", cgroup, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static int make_cgroup(void **state)
{
	(void)state;
	snprintf(cgroup, sizeof(cgroup), "/tmp/twinit-limits-XXXXXX");
	return mkdtemp(cgroup) ? 0 : -1;
}

static int remove_cgroup(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", cgroup);
	return system(command);
}

/* We stand for a master: our own process group has at least us in it. */
static struct room look(void)
{
	const pid_t masters[] = { getpgrp() };

	return limits_look(cgroup, masters, ARRAY_SIZE(masters));
}

static void test_nothing_readable_is_no_limit(void **state)
{
	struct room room = look();

	(void)state;
	assert_true(room.memory_left == UINT64_MAX);
	assert_true(room.pids_left == UINT64_MAX);
}

static void test_max_is_no_limit(void **state)
{
	(void)state;
	put("memory.max", "max\n");
	put("pids.max", "max\n");
	struct room room = look();

	assert_true(room.memory_left == UINT64_MAX);
	assert_true(room.pids_left == UINT64_MAX);
}

static void test_version_2_with_page_cache_that_can_go(void **state)
{
	(void)state;
	put("memory.max", "1000\n");
	put("memory.current", "900\n");
	put("memory.stat", "anon 1\ninactive_file 300\nactive_file 100\n");
	put("pids.max", "64\n");
	put("pids.current", "14\n");
	struct room room = look();

	assert_int_equal(room.memory_left, 500);
	assert_int_equal(room.pids_left, 50);
}

static void test_version_1(void **state)
{
	(void)state;
	put_dir("memory");
	put_dir("pids");
	put("memory/memory.limit_in_bytes", "1000\n");
	put("memory/memory.usage_in_bytes", "900\n");
	put("memory/memory.stat", "total_inactive_file 50\ntotal_active_file 0\n");
	put("pids/pids.max", "10\n");
	put("pids/pids.current", "12\n");
	struct room room = look();

	assert_int_equal(room.memory_left, 150);
	assert_int_equal(room.pids_left, 0);
}

static void test_version_1_says_no_limit_with_a_number(void **state)
{
	(void)state;
	put_dir("memory");
	put("memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("memory/memory.usage_in_bytes", "900\n");

	assert_true(look().memory_left == UINT64_MAX);
}

static void test_a_replica_is_measured(void **state)
{
	(void)state;
	put("pids.max", "64\n");
	put("pids.current", "1\n");
	struct room room = look();

	assert_true(room.pids_each >= 1);
	assert_true(room.memory_each >= 4096);
}

int main(void)
{
#define LIMITS_TEST(f) cmocka_unit_test_setup_teardown(f, make_cgroup, remove_cgroup)
	const struct CMUnitTest tests[] = {
		LIMITS_TEST(test_nothing_readable_is_no_limit),
		LIMITS_TEST(test_max_is_no_limit),
		LIMITS_TEST(test_version_2_with_page_cache_that_can_go),
		LIMITS_TEST(test_version_1),
		LIMITS_TEST(test_version_1_says_no_limit_with_a_number),
		LIMITS_TEST(test_a_replica_is_measured),
	};
	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
