#include "session/slice.h"

#include <string.h>

struct slice slice_of(const char *text)
{
	return slice_between(text, text + strlen(text));
}

bool slice_is(struct slice piece, const char *text)
{
	return piece.start && piece.length == strlen(text) &&
	       memcmp(piece.start, text, piece.length) == 0;
}

bool slice_has(struct slice piece, char c)
{
	return piece.start && memchr(piece.start, c, piece.length);
}

bool slice_is_number(struct slice piece)
{
	const char *end = piece.start + piece.length;

	return piece.length > 0 && slice_skip_digits(piece.start, end) == end;
}

static bool is_ascii_alnum(char c)
{
	return slice_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool slice_consists_of(struct slice piece, const char *others)
{
	for (size_t i = 0; i < piece.length; i++)
		if (!is_ascii_alnum(piece.start[i]) &&
		    (piece.start[i] == '\0' || !strchr(others, piece.start[i])))
			return false;
	return piece.length > 0;
}

const char *slice_skip_digits(const char *start, const char *end)
{
	while (start < end && slice_is_digit(*start))
		start++;
	return start;
}

const char *slice_find(const char *start, const char *end, const char *chars)
{
	while (start < end && !strchr(chars, *start))
		start++;
	return start;
}
