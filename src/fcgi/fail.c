#include "fcgi/fail.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/text.h"

int fcgi_fail(enum fcgi_exit status, const char *format, ...)
{
	char buffer[1024];
	struct text text = TEXT(buffer);
	va_list args;

	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
	fprintf(stderr, "twinit fcgi: %s\n", buffer);
	return status;
}
