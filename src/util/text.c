#include "util/text.h"

#include <stdio.h>
#include <string.h>

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
		if ((unsigned char)*bytes < ' ' || *bytes == 0x7f)
			*bytes = '?';
}

bool text_begins(const char *value, const char *prefix)
{
	return strncmp(value, prefix, strlen(prefix)) == 0;
}
