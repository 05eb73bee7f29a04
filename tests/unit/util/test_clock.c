#include <time.h>

#include "leaks.h"
#include "util/clock.h"

static void test_both_units_are_the_same_time(void **state)
{
	(void)state;

	for (int i = 0; i < 1000; i++) {
		uint64_t before = clock_us() / 1000, now = clock_ms(), after = clock_us() / 1000;

		assert_in_range(now, before, after);
	}
}

static void test_it_goes_forward_as_long_as_one_sleeps(void **state)
{
	struct timespec nap = { .tv_nsec = 20 * 1000 * 1000 };
	uint64_t began = clock_us();

	(void)state;
	assert_int_equal(nanosleep(&nap, NULL), 0);
	assert_in_range(clock_us() - began, 20 * 1000, 5 * 1000 * 1000);
}

/* Deadlines must not move when somebody sets the clock on the wall. */
static void test_it_is_time_since_the_start_of_the_machine(void **state)
{
	struct timespec since;

	(void)state;
	assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &since), 0);
	assert_in_range(clock_ms() / 1000, (uint64_t)since.tv_sec, (uint64_t)since.tv_sec + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_both_units_are_the_same_time),
		TEST(test_it_goes_forward_as_long_as_one_sleeps),
		TEST(test_it_is_time_since_the_start_of_the_machine),
	};

	return cmocka_run_group_tests_name("util/clock", tests, NULL, NULL);
}
