#include <stdint.h>
#include <sys/resource.h>

#include "../util/forked.h"
#include "confine/caps.h"
#include "confine/rlimits.h"

static struct rlimit now(int resource)
{
	struct rlimit limit;

	CHECK(getrlimit((__rlimit_resource_t)resource, &limit) == 0);
	return limit;
}

static void set(int resource, rlim_t soft, rlim_t hard)
{
	const struct rlimit limit = { soft, hard };

	CHECK(setrlimit((__rlimit_resource_t)resource, &limit) == 0);
}

/* Not every root may: many containers' may not. */
static void raise_hard(void *context)
{
	const struct rlimits wanted = { .files = 2000, .core = UINT64_MAX };
	const bool may = caps_have(CAP_SYS_RESOURCE);

	(void)context;
	set(RLIMIT_NOFILE, 500, 1000);
	set(RLIMIT_CORE, 0, 0);
	CHECK(rlimits_take(&wanted) == 0);
	CHECK(now(RLIMIT_NOFILE).rlim_cur == 500);
	CHECK(now(RLIMIT_NOFILE).rlim_max == (may ? 2000 : 1000));
	CHECK(now(RLIMIT_CORE).rlim_cur == 0);
	CHECK(now(RLIMIT_CORE).rlim_max == (may ? RLIM_INFINITY : 0));
	/* Nothing is lowered, and 0 asks for nothing. */
	CHECK(rlimits_take(&(struct rlimits){ .files = 100 }) == 0);
	CHECK(now(RLIMIT_NOFILE).rlim_max == (may ? 2000 : 1000));
}

static void test_hard_limits_are_raised_to_what_fpm_wants(void **state)
{
	(void)state;
	only_as_root();
	in_child(raise_hard, NULL);
}

static void raise_without_right(void *context)
{
	(void)context;
	set(RLIMIT_NOFILE, 500, 1000);
	CHECK(caps_keep(0) == 0);
	CHECK(rlimits_take(&(struct rlimits){ .files = 2000 }) == 0);
	CHECK(now(RLIMIT_NOFILE).rlim_max == 1000);
}

static void test_a_limit_that_cannot_be_raised_is_left_to_fpm(void **state)
{
	(void)state;
	in_child(raise_without_right, NULL);
}

static void priority(void *context)
{
	(void)context;
	CHECK(rlimits_take(&(struct rlimits){ .has_priority = true, .priority = 7 }) == 0);
	CHECK(getpriority(PRIO_PROCESS, 0) == 7);
	CHECK(caps_keep(0) == 0);
	CHECK(rlimits_take(&(struct rlimits){ .has_priority = true, .priority = 2 }) == -EACCES);
	CHECK(getpriority(PRIO_PROCESS, 0) == 7);
}

static void test_a_priority_is_taken_or_refused(void **state)
{
	(void)state;
	in_child(priority, NULL);
}

static void open_many(void *context)
{
	(void)context;
	set(RLIMIT_NOFILE, 500, 1000);
	CHECK(rlimits_open_many() == 500);
	CHECK(now(RLIMIT_NOFILE).rlim_cur == 1000);
	rlimits_give_back(0);
	CHECK(now(RLIMIT_NOFILE).rlim_cur == 1000);
	rlimits_give_back(500);
	CHECK(now(RLIMIT_NOFILE).rlim_cur == 500);
	CHECK(now(RLIMIT_NOFILE).rlim_max == 1000);
}

static void test_many_descriptors_are_for_ourselves_only(void **state)
{
	(void)state;
	in_child(open_many, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hard_limits_are_raised_to_what_fpm_wants),
		TEST(test_a_limit_that_cannot_be_raised_is_left_to_fpm),
		TEST(test_a_priority_is_taken_or_refused),
		TEST(test_many_descriptors_are_for_ourselves_only),
	};

	return cmocka_run_group_tests_name("confine/rlimits", tests, NULL, NULL);
}
