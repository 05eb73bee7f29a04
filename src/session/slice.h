/* slice.h - pieces of a text that stays where it is.  Pure; borrows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* start is NULL when the piece is absent, which is not the same as empty. */
struct slice {
	const char *start;
	size_t length;
};

/* The piece from @start up to @end, which is no longer a part of it. */
static inline struct slice slice_between(const char *start, const char *end)
{
	return (struct slice){ .start = start, .length = (size_t)(end - start) };
}

/* All of @text. */
struct slice slice_of(const char *text);

/* True when the piece is there and is @text; when it has @c.  False for an absent one. */
bool slice_is(struct slice piece, const char *text);
bool slice_has(struct slice piece, char c);

/* True when the piece is digits alone, at least one. */
bool slice_is_number(struct slice piece);

/* True when the piece is ASCII letters, digits and @others alone, at least one. */
bool slice_consists_of(struct slice piece, const char *others);

/* ASCII, whatever the locale. */
static inline bool slice_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The first that is no digit, the first of @chars, between @start and @end; or @end. */
const char *slice_skip_digits(const char *start, const char *end);
const char *slice_find(const char *start, const char *end, const char *chars);
