#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rollout/backoff.h"
#include "util/macros.h"

/* clang-format off */
static const struct {
	const char *says;
	unsigned crashes;
	uint32_t wait_ms;
} waits[] = {
	{ "no crash at all waits as long as one", 0,        100   },
	{ "the first",                            1,        100   },
	{ "the second doubles",                   2,        200   },
	{ "the third",                            3,        400   },
	{ "the seventh",                          7,        6400  },
	{ "the eighth would be 12.8 s",           8,        10000 },
	{ "ever after",                           9,        10000 },
	{ "no overflow",                          UINT32_MAX, 10000 },
};

static const struct {
	const char *says;
	unsigned crashes;
	uint64_t lived_ms;
	unsigned counts;
} counts[] = {
	{ "the first",                              0, 0,          1 },
	{ "one more after a short life",            1, 0,          2 },
	{ "... that was nearly long enough",        4, 9999,       5 },
	{ "a long life ends the series",            4, 10000,      1 },
	{ "a very long one too",                    4, UINT64_MAX, 1 },
};
/* clang-format on */

static void test_waits(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
		if (backoff_ms(waits[i].crashes) != waits[i].wait_ms)
			fail_msg("%s: got %u ms", waits[i].says, backoff_ms(waits[i].crashes));
}

static void test_waits_never_get_shorter(void **state)
{
	(void)state;

	for (unsigned crashes = 1; crashes < 100; crashes++) {
		assert_true(backoff_ms(crashes) <= backoff_ms(crashes + 1));
		assert_in_range(backoff_ms(crashes), BACKOFF_FIRST_MS, BACKOFF_MOST_MS);
	}
}

static void test_counts(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned n = backoff_count(counts[i].crashes, counts[i].lived_ms);

		if (n != counts[i].counts)
			fail_msg("%s: got %u", counts[i].says, n);
	}
}

/* A master that crashes as soon as it runs: how often is it started within a minute? */
static void test_a_master_that_always_crashes_costs_little(void **state)
{
	unsigned crashes = 0, starts = 0;

	(void)state;
	for (uint64_t now = 0; now < 60000; starts++) {
		crashes = backoff_count(crashes, 1);
		now += backoff_ms(crashes);
	}
	assert_in_range(starts, 8, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_waits_never_get_shorter),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_a_master_that_always_crashes_costs_little),
	};

	return cmocka_run_group_tests_name("rollout/backoff", tests, NULL, NULL);
}
