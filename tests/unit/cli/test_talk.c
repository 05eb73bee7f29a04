#include "../util/leaks.h"
#include "cli/talk.h"
#include "util/macros.h"

static const struct {
	uint64_t ms;
	const char *text;
} times[] = {
	{ 0, "0ms" },      { 999, "999ms" },     { 1000, "1.0s" },    { 9999, "9.9s" },
	{ 10000, "10s" },  { 119999, "119s" },   { 120000, "2m" },    { 7199999, "119m" },
	{ 7200000, "2h" }, { 172799999, "47h" }, { 172800000, "2d" }, { 864000000000, "10000d" },
};

static const struct {
	uint64_t number;
	unsigned thousand;
	const char *text;
} numbers[] = {
	{ 0, 1000, "0" },
	{ 999, 1000, "999" },
	{ 1000, 1000, "1.0k" },
	{ 99999, 1000, "99.9k" },
	{ 100000, 1000, "100k" },
	{ 1234567, 1000, "1.2M" },
	{ 1023, 1024, "1023" },
	{ 1536, 1024, "1.5k" },
	{ 134217728, 1024, "128M" },
	{ UINT64_MAX, 1000, "18.4E" },
};

static void test_times_are_short(void **state)
{
	char to[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		assert_string_equal(talk_short_time(times[i].ms, to), times[i].text);
}

static void test_numbers_are_short(void **state)
{
	char to[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		assert_string_equal(talk_number(numbers[i].number, numbers[i].thousand, to),
		                    numbers[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_times_are_short),
		TEST(test_numbers_are_short),
	};

	return cmocka_run_group_tests_name("cli/talk", tests, NULL, NULL);
}
