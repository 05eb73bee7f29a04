#include "util/date.h"

#include <stdbool.h>

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_of_year(unsigned year)
{
	return is_leap(year) ? 366 : 365;
}

static unsigned days_of_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

void date_add(struct text *text, uint64_t seconds)
{
	unsigned days = (unsigned)(seconds / DAY);
	unsigned rest = (unsigned)(seconds % DAY);
	unsigned year = 1970, month = 1;

	for (; days >= days_of_year(year); year++)
		days -= days_of_year(year);
	for (; days >= days_of_month(year, month); month++)
		days -= days_of_month(year, month);
	text_add(text, "%04u-%02u-%02uT%02u:%02u:%02u", year, month, days + 1, rest / HOUR,
	         rest % HOUR / MINUTE, rest % MINUTE);
}
