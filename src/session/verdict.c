#include "session/verdict.h"

#include <stdarg.h>

#include "session/where.h"

bool verdict_begin(struct store_report *report, const struct store_address *store,
                   struct text *text)
{
	if (report->state == STORE_FAILED)
		return false;
	report->state = STORE_FAILED;
	if (store) {
		struct text where = TEXT(report->where);

		where_add(&where, store);
	}
	*text = TEXT(report->reason);
	return true;
}

void verdict_fail(struct store_report *report, const struct store_address *store,
                  const char *format, ...)
{
	struct text text;
	va_list args;

	if (!verdict_begin(report, store, &text))
		return;
	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
}

void verdict_warn(struct store_report *report, const char *format, ...)
{
	struct text text;
	va_list args;

	if (report->warning[0])
		return;
	text = TEXT(report->warning);
	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
}
