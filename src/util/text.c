#include "util/text.h"

#include <stdio.h>
#include <string.h>

#include "util/macros.h"

struct text text_init(char *buffer, size_t size)
{
	buffer[0] = '\0';
	return (struct text){ .buffer = buffer, .size = size };
}

void text_vadd(struct text *text, const char *format, va_list args)
{
	size_t room = text->size - text->length;
	int n = vsnprintf(text->buffer + text->length, room, format, args);

	if (n < 0)
		return;
	if ((size_t)n >= room) {
		text->cut = true;
		text->length = text->size - 1;
	} else {
		text->length += (size_t)n;
	}
}

void text_add(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vadd(text, format, args);
	va_end(args);
}

void text_add_quoted(struct text *text, const char *value)
{
	text_add(text, "'");
	for (const char *c = value; *c; c++) {
		unsigned char byte = (unsigned char)*c;

		if (byte < 0x20 || byte == 0x7f || byte == '\'' || byte == '\\')
			text_add(text, "\\x%02x", byte);
		else
			text_add(text, "%c", byte);
	}
	text_add(text, "'");
}

bool text_copy(char *to, size_t size, const char *value)
{
	size_t length = strlen(value);

	to[0] = '\0';
	if (length >= size)
		return false;
	memcpy(to, value, length + 1);
	return true;
}

void text_copy_cut(char *to, size_t size, const char *value)
{
	struct text text = text_init(to, size);

	text_add(&text, "%s", value);
}

void text_tame(char *bytes, size_t size)
{
	bytes[size - 1] = '\0';
	for (; *bytes; bytes++)
		if (text_is_control(bytes)) {
			/* The second byte of U+0080 to U+009F would be no character alone. */
			if (*bytes == '\xc2')
				bytes[1] = '?';
			*bytes = '?';
		}
}

bool text_is_control(const char *character)
{
	const unsigned char *bytes = (const unsigned char *)character;

	return bytes[0] < ' ' || bytes[0] == 0x7f ||
	       (bytes[0] == 0xc2 && bytes[1] >= 0x80 && bytes[1] < 0xa0);
}

/* RFC 3629, section 4: what may follow the first byte, which the second one's range depends on. */
static const struct form {
	unsigned char first, last; /* the first byte */
	unsigned char from, to;    /* the second */
	unsigned char length;
} forms[] = {
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

/* Never looks behind the final NUL, which is in no range. */
static bool has_form(const unsigned char *bytes, const struct form *form)
{
	if (bytes[0] < form->first || bytes[0] > form->last || bytes[1] < form->from ||
	    bytes[1] > form->to)
		return false;
	for (size_t i = 2; i < form->length; i++)
		if (bytes[i] < 0x80 || bytes[i] > 0xbf)
			return false;
	return true;
}

size_t text_character(const char *value)
{
	const unsigned char *bytes = (const unsigned char *)value;

	if (bytes[0] < 0x80)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (has_form(bytes, &forms[i]))
			return forms[i].length;
	return 0;
}

bool text_begins(const char *value, const char *prefix)
{
	return strncmp(value, prefix, strlen(prefix)) == 0;
}
