/* text.h - build a line of text in a buffer of fixed size; too long is cut, never overrun. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/macros.h"

struct text {
	char *buffer;
	size_t size;
	size_t length; /* without the final NUL, which is always there */
	bool cut;      /* something did not fit */
};

/* An empty text over the array @array. */
#define TEXT(array) text_init((array), sizeof(array))

/* Start an empty text in @buffer of @size bytes (at least 1); @buffer is borrowed. */
struct text text_init(char *buffer, size_t size);

/* Append; what does not fit is dropped and text->cut is set. */
PRINTF_LIKE(2, 3) void text_add(struct text *text, const char *format, ...);
void text_vadd(struct text *text, const char *format, va_list args);

/*
 * Append @value between single quotes, with control characters and quotes as \xNN: for text that
 * came from outside and goes to a log or a terminal.
 */
void text_add_quoted(struct text *text, const char *value);

/* Copy @value into @to of @size bytes.  False, and *@to empty, when it does not fit. */
MUST_CHECK bool text_copy(char *to, size_t size, const char *value);

/* The same, but what does not fit is cut off. */
void text_copy_cut(char *to, size_t size, const char *value);

/*
 * End the text in @bytes, whatever came to be there, and put a '?' in the place of each control
 * character: for text that somebody else filled in and that goes to a terminal.
 */
void text_tame(char *bytes, size_t size);

/* Does a terminal obey the character at @character instead of showing it (C0, DEL, C1 in UTF-8)? */
bool text_is_control(const char *character);

/*
 * How many bytes (1 to 4) the UTF-8 character at @value has; 0 where there is none: a byte out of
 * place, a form longer than needed, a surrogate, or one that ends too early.
 */
size_t text_character(const char *value);

/* True when @value begins with @prefix. */
bool text_begins(const char *value, const char *prefix);
