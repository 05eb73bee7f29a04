#include "session/parser.h"

#include <errno.h>
#include <stdarg.h>

#include "session/advice.h"
#include "session/where.h"

/* Begin to describe a trap; false when a more serious one is known. */
static bool trap_begin(struct parser *parser, enum trap trap, struct text *text)
{
	if (trap >= parser->trap)
		return false;
	parser->trap = trap;
	*text = TEXT(parser->path->trap);
	where_add(text, parser->store);
	text_add(text, ": ");
	return true;
}

static void add_line(struct parser *parser, struct text *text)
{
	text_add(text, "; write ");
	advice_add(text, parser->store, &parser->url, &parser->options);
}

void parser_trap(struct parser *parser, enum trap trap, const char *format, ...)
{
	struct text text;
	va_list args;

	if (!trap_begin(parser, trap, &text))
		return;
	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
	add_line(parser, &text);
}

static void refuse(struct parser *parser, const char *format, va_list args)
{
	text_add(&parser->why, "part %zu of session.save_path ", parser->part);
	text_vadd(&parser->why, format, args);
}

int parser_refuse(struct parser *parser, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse(parser, format, args);
	va_end(args);
	return -EINVAL;
}

int parser_refuse_with_line(struct parser *parser, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse(parser, format, args);
	va_end(args);
	add_line(parser, &parser->why);
	return -EINVAL;
}
