/* report.h - tell the log, the clients that wait and `on_event` what happened. */
#pragma once

#include "init/state.h"

/* Log @news, send it to each client that waits for its app, and have the program run for it. */
void report(struct supervisor *supervisor, const struct news *news);

/* A news of @kind about @app, to be filled in further. */
struct news news_of(const struct app *app, enum news_kind kind);

/* The same with a sentence, reported. */
PRINTF_LIKE(3, 4)
void report_text(struct app *app, enum news_kind kind, const char *format, ...);
