#include "../util/leaks.h"
#include "init/roll_record.h"

static void test_each_step_has_its_time(void **state)
{
	struct roll_record record = { 0 };

	(void)state;
	roll_record_phase(&record, ROLL_IDLE, 1000);
	roll_record_phase(&record, ROLL_PREFLIGHT, 5000);
	roll_record_phase(&record, ROLL_PREFLIGHT, 5010);
	roll_record_phase(&record, ROLL_BUILD, 5030);
	roll_record_phase(&record, ROLL_IDLE, 5100);
	roll_record_end(&record, ROLL_DONE, 100, 5100);
	assert_int_equal(record.last_ms[ROLL_PREFLIGHT], 30);
	assert_int_equal(record.last_ms[ROLL_BUILD], 70);
	assert_int_equal(record.last_ms[ROLL_DRAIN], 0);
	assert_int_equal(record.last_ms[ROLL_IDLE], 0);
	assert_int_equal(record.last_took_ms, 100);
	assert_int_equal(record.last_end_ms, 5100);
}

static void test_the_next_roll_begins_anew(void **state)
{
	struct roll_record record = { 0 };

	(void)state;
	roll_record_phase(&record, ROLL_PREFLIGHT, 0);
	roll_record_phase(&record, ROLL_IDLE, 10);
	roll_record_end(&record, ROLL_REFUSED, 10, 10);
	roll_record_phase(&record, ROLL_PREFLIGHT, 50);
	roll_record_phase(&record, ROLL_LANE, 51);
	assert_int_equal(record.last_ms[ROLL_PREFLIGHT], 10);
	roll_record_phase(&record, ROLL_IDLE, 53);
	roll_record_end(&record, ROLL_DONE, 3, 53);
	assert_int_equal(record.last_ms[ROLL_PREFLIGHT], 1);
	assert_int_equal(record.last_ms[ROLL_LANE], 2);
	assert_int_equal(record.ended[ROLL_REFUSED], 1);
	assert_int_equal(record.ended[ROLL_DONE], 1);
	assert_int_equal(record.ended[ROLL_FAILED], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_step_has_its_time),
		TEST(test_the_next_roll_begins_anew),
	};

	return cmocka_run_group_tests_name("init/roll_record", tests, NULL, NULL);
}
