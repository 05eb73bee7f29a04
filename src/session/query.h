/*
 * query.h - read a query string as PHP reads one, php_register_variable_ex() included.  Pure.
 *
 *     struct query query = { start, end };
 *     while (query_next(&query, &name, &value))
 *             ...
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "session/slice.h"
#include "util/macros.h"

enum {
	QUERY_NAME_SIZE = 64,
};

/* What is left to read; borrows the text. */
struct query {
	const char *at, *end;
};

/* A name as PHP stores it; name and key point into the buffer, so it is not to be copied. */
struct query_name {
	char buffer[QUERY_NAME_SIZE];
	const char *name;
	const char *key; /* "k" for name[k], empty for name[]; NULL for a plain name */
	bool nested;     /* name[key][...] */
};

/*
 * Take the next "name=value", both still encoded; pairs are separated by '&', empty ones are
 * skipped.  Without a '=' the value is empty.
 *
 * Returns true and fills *@name and *@value, or false at the end.
 */
MUST_CHECK bool query_next(struct query *query, struct slice *name, struct slice *value);

/* Decode @piece into *@name.  A name that does not fit is cut: none that we know is so long. */
void query_name(struct slice piece, struct query_name *name);

/*
 * Decode @piece ('+', %XX) into @to of @size bytes.
 *
 * Returns false when it does not fit or holds a NUL; then @to has what came before, which may do.
 */
bool query_decode(struct slice piece, char *to, size_t size);
