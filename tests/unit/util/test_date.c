#include <time.h>

#include "leaks.h"
#include "util/date.h"
#include "util/macros.h"

static const char *date(uint64_t seconds)
{
	static char buffer[32];
	struct text text = TEXT(buffer);

	date_add(&text, seconds);
	return buffer;
}

static void test_moments(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *date;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00" },          { 59, "1970-01-01T00:00:59" },
		{ 3599, "1970-01-01T00:59:59" },       { 86399, "1970-01-01T23:59:59" },
		{ 86400, "1970-01-02T00:00:00" },      { 31535999, "1970-12-31T23:59:59" },
		{ 951782399, "2000-02-28T23:59:59" },  { 951782400, "2000-02-29T00:00:00" },
		{ 951868800, "2000-03-01T00:00:00" },  { 978307199, "2000-12-31T23:59:59" },
		{ 1709164800, "2024-02-29T00:00:00" }, { 2147483648, "2038-01-19T03:14:08" },
		{ 4107542400, "2100-03-01T00:00:00" }, { 9223372036, "2262-04-11T23:47:16" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(date(rows[i].seconds), rows[i].date);
}

/* Noon, say, of each day that the kernel's clock can have. */
static void test_each_day_is_that_of_the_library(void **state)
{
	(void)state;

	for (time_t at = 43201; at < 9223372036; at += 86400) {
		char wanted[32];
		struct tm tm;

		assert_non_null(gmtime_r(&at, &tm));
		strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%S", &tm);
		assert_string_equal(date((uint64_t)at), wanted);
	}
}

static void test_it_is_put_behind_what_is_there(void **state)
{
	char buffer[32];
	struct text text = TEXT(buffer);

	(void)state;
	text_add(&text, "at ");
	date_add(&text, 0);
	assert_string_equal(buffer, "at 1970-01-01T00:00:00");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_moments),
		TEST(test_each_day_is_that_of_the_library),
		TEST(test_it_is_put_behind_what_is_there),
	};

	return cmocka_run_group_tests_name("util/date", tests, NULL, NULL);
}
