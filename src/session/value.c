#include "session/value.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "session/slice.h"

/* The number that @text begins with, or 0; *@whole when nothing else follows. */
static double leading_number(const char *text, bool *whole)
{
	const char *end = text + strlen(text);
	char number[STORE_AUTH_SIZE];

	text += strspn(text, " \t\n\r\v\f");
	const char *at = text + strspn(text, "+-");

	*whole = false;
	if (at - text > 1)
		return 0;
	const char *stop = slice_skip_digits(at, end);
	bool digits = stop > at;
	if (stop < end && *stop == '.') {
		const char *decimals = stop + 1;

		stop = slice_skip_digits(decimals, end);
		digits |= stop > decimals;
	}
	if (!digits)
		return 0;
	if (stop < end && (*stop | 0x20) == 'e') {
		const char *exponent = stop + 1;

		exponent += exponent < end && (*exponent == '+' || *exponent == '-');
		if (slice_skip_digits(exponent, end) > exponent)
			stop = slice_skip_digits(exponent, end);
	}
	memcpy(number, text, (size_t)(stop - text));
	number[stop - text] = '\0';
	*whole = stop == end;
	return strtod(number, NULL); /* "C" locale; no hex, inf or nan gets here */
}

double value_number(const struct value *value)
{
	bool whole;

	return value->array ? 1 : leading_number(value->text, &whole);
}

bool value_is_number(const struct value *value)
{
	bool whole;

	(void)leading_number(value->text, &whole);
	return whole;
}

int value_int(const struct value *value)
{
	double number = value_number(value);

	if (number > DBL_MAX || number < -DBL_MAX)
		return 0;
	if (number >= 9.2e18 || number <= -9.2e18)
		return number > 0 ? -1 : 0; /* LONG_MAX and LONG_MIN, cut */
	return (int)(unsigned int)(long long)number;
}

bool value_is_true(const struct value *value)
{
	return strcasecmp(value->text, "1") == 0 || strcasecmp(value->text, "true") == 0 ||
	       strcasecmp(value->text, "yes") == 0;
}
