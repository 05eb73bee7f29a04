#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/random.h"

static void test_numbers_differ(void **state)
{
	uint64_t first = random_number(), second = random_number(), third = random_number();

	(void)state;
	assert_true(first != second && second != third && first != third);
	assert_true((first | second | third) >> 32 != 0);
	assert_true((uint32_t)(first | second | third) != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_differ),
	};

	return cmocka_run_group_tests_name("util/random", tests, NULL, NULL);
}
