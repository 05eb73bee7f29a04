#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rollout/room.h"
#include "util/macros.h"

static const struct row {
	const char *says;
	struct room room;
	unsigned replicas, surge;
	bool fits;
	unsigned possible;
} rows[] = {
	{ "no limit leaves the surge as it is", { UINT64_MAX, 0, UINT64_MAX, 0 }, 2, 2, true, 2 },
	{ "enough is enough", { 100, 50, 20, 10 }, 2, 2, true, 2 },
	{ "memory for one makes it one", { 99, 50, UINT64_MAX, 10 }, 2, 2, true, 1 },
	{ "pids for one make it one", { UINT64_MAX, 50, 19, 10 }, 2, 2, true, 1 },
	{ "the tighter one counts", { 400, 50, 19, 10 }, 4, 4, true, 1 },
	{ "no room means one out, one in", { 49, 50, 100, 10 }, 2, 2, true, 0 },
	{ "a single replica cannot go first", { 49, 50, 100, 10 }, 1, 1, false, 0 },
	{ "a surge of 0 that is wanted needs no room", { 0, 50, 0, 10 }, 2, 0, true, 0 },
	{ "a single replica with a surge of 0 makes one more all the same",
	  { 100, 50, 20, 10 },
	  1,
	  0,
	  true,
	  1 },
	{ "an unknown size fits", { 10, 0, 10, 0 }, 2, 2, true, 2 },
};

static void test_rows(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned possible;
		bool fits = room_surge(&rows[i].room, rows[i].replicas, rows[i].surge, &possible);

		if (fits != rows[i].fits || possible != rows[i].possible)
			fail_msg("%s: got %d, surge %u", rows[i].says, fits, possible);
	}
}

static void test_a_container_without_limits_has_room(void **state)
{
	struct room room = room_unlimited();

	(void)state;
	assert_int_equal(room_for(&room, 4), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_a_container_without_limits_has_room),
	};
	return cmocka_run_group_tests_name("room", tests, NULL, NULL);
}
