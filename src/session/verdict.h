/* verdict.h - put failures and warnings into a store_report.  Pure. */
#pragma once

#include <stdbool.h>

#include "session/savepath.h"
#include "session/store.h"
#include "util/macros.h"
#include "util/text.h"

/*
 * Begin the sentence of a failure: *@text is report->reason, empty.  @store is the one at fault,
 * NULL when it is none of them.
 *
 * Returns false when an earlier failure stands: the others are known when that one is mended.
 */
MUST_CHECK bool verdict_begin(struct store_report *report, const struct store_address *store,
                              struct text *text);

/* The same with the whole sentence at once. */
PRINTF_LIKE(3, 4)
void verdict_fail(struct store_report *report, const struct store_address *store,
                  const char *format, ...);

/* Set report->warning, unless there is one already. */
PRINTF_LIKE(2, 3) void verdict_warn(struct store_report *report, const char *format, ...);
