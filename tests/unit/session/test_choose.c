#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "session/choose.h"
#include "util/macros.h"

/* "aaaa" is 0x61616161, 1633771873, "baaa" one more, and so on. */
static const struct {
	const char *id;
	int weights[3];
	size_t store;
} rows[] = {
	{ "aaaaxxxxxxxxxxxxxxxxxxxxxx", { 1, 1, 1 }, 1 }, /* mod 3 = 1 */
	{ "baaaxxxxxxxxxxxxxxxxxxxxxx", { 1, 1, 1 }, 0 }, /* 2 */
	{ "caaaxxxxxxxxxxxxxxxxxxxxxx", { 1, 1, 1 }, 2 }, /* 0 */
	{ "aaaaxxxxxxxxxxxxxxxxxxxxxx", { 2, 1, 3 }, 2 }, /* mod 6 = 1 */
	{ "caaaxxxxxxxxxxxxxxxxxxxxxx", { 2, 1, 3 }, 1 }, /* 3: behind the last one's 3 */
	{ "daaaxxxxxxxxxxxxxxxxxxxxxx", { 2, 1, 3 }, 0 }, /* 4 */
	{ "eaaaxxxxxxxxxxxxxxxxxxxxxx", { 2, 1, 3 }, 0 }, /* 5 */
	{ "eaaayyyyyyyyyyyyyyyyyyyyyy", { 2, 1, 3 }, 0 }, /* the rest of it says nothing */
	{ "aaaaxxxxxxxxxxxxxxxxxxxxxx", { INT32_MAX, INT32_MAX, 2 }, 2 }, /* they add up to 2^32 */
};

static void test_the_store_is_the_one_that_phpredis_chooses(void **state)
{
	static struct save_path path;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		path.count = 3;
		for (size_t n = 0; n < 3; n++)
			path.stores[n].weight = rows[i].weights[n];
		const struct store_address *store = choose_store(&path, rows[i].id);

		if (store != &path.stores[rows[i].store])
			fail_msg("%.4s with %d, %d, %d: store %zu, not %zu", rows[i].id,
			         rows[i].weights[0], rows[i].weights[1], rows[i].weights[2],
			         (size_t)(store - path.stores), rows[i].store);
	}
}

static void test_one_store_has_all(void **state)
{
	static struct save_path path = { .count = 1, .stores = { { .weight = 7 } } };

	(void)state;
	assert_ptr_equal(choose_store(&path, "zzzz"), &path.stores[0]);
	assert_ptr_equal(choose_store(&path, ""), &path.stores[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_store_is_the_one_that_phpredis_chooses),
		cmocka_unit_test(test_one_store_has_all),
	};

	return cmocka_run_group_tests_name("session/choose", tests, NULL, NULL);
}
