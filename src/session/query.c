#include "session/query.h"

#include <ctype.h>
#include <string.h>

static int hex_digit(char c)
{
	if (slice_is_digit(c))
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* One character of @piece at *@i, decoded; moves *@i past it. */
static char decode_one(struct slice piece, size_t *i)
{
	char c = piece.start[(*i)++];

	if (c == '+')
		return ' ';
	if (c == '%' && *i + 1 < piece.length) {
		int high = hex_digit(piece.start[*i]), low = hex_digit(piece.start[*i + 1]);

		if (high >= 0 && low >= 0) {
			*i += 2;
			return (char)(high * 16 + low);
		}
	}
	/* php_url_parse_ex() replaces control characters before anything is decoded. */
	return iscntrl((unsigned char)c) ? '_' : c;
}

bool query_decode(struct slice piece, char *to, size_t size)
{
	size_t length = 0;
	bool fits = true;

	for (size_t i = 0; fits && i < piece.length;) {
		char c = decode_one(piece, &i);

		fits = c != '\0' && length + 1 < size;
		if (fits)
			to[length++] = c;
	}
	to[length] = '\0';
	return fits;
}

static void replace_any(char *text, const char *chars, char with)
{
	for (; *text; text++)
		if (strchr(chars, *text))
			*text = with;
}

/*
 * As php_register_variable_ex(): leading blanks go, blanks and dots become '_', "name[key]" is an
 * array; a '[' that is not closed is one more '_'.
 */
void query_name(struct slice piece, struct query_name *name)
{
	(void)query_decode(piece, name->buffer, sizeof(name->buffer));

	char *text = name->buffer + strspn(name->buffer, " ");
	char *bracket = strchr(text, '[');
	char *close = bracket ? strchr(bracket, ']') : NULL;

	name->name = text;
	name->key = NULL;
	name->nested = close && close[1] == '[' && strchr(close + 1, ']');
	if (bracket && close) {
		*bracket = *close = '\0';
		name->key = bracket + 1;
		if (isspace((unsigned char)*name->key) && name->key[1] == '\0')
			name->key++;
	}
	replace_any(text, bracket == text ? " ." : " .[", '_');
}

bool query_next(struct query *query, struct slice *name, struct slice *value)
{
	while (query->at < query->end) {
		const char *start = query->at;
		const char *stop = slice_find(start, query->end, "&");
		const char *equals = slice_find(start, stop, "=");

		query->at = stop < query->end ? stop + 1 : stop;
		if (stop > start) {
			*name = slice_between(start, equals);
			*value = slice_between(equals < stop ? equals + 1 : stop, stop);
			return true;
		}
	}
	return false;
}
