/*
 * log.h - one line an event, to stderr: "twinit: warning: www: ...", or one JSON object.
 *
 * PID 1 does not wait for its reader: a line that the pipe cannot take now is counted and said
 * later.  Never changes errno.  Not for children after fork.
 */
#pragma once

#include <stdbool.h>

#include "util/macros.h"
#include "util/notice.h"

/*
 * Open the log: an open file description of our own on what stderr is, so that O_NONBLOCK does not
 * reach the children, who share stderr's.  Where that cannot be had (a socket, another user's
 * pipe) the log asks poll() before it writes.  Works without having been called.
 */
void log_open(void);

/* "error", "warning", "info". */
const char *log_level_name(enum log_level level);

/* From now on each line is a JSON object: time, level, event, app, text. */
void log_use_json(void);

/* Log @notice about @app ("": none), with whose name the line begins. */
PRINTF_LIKE(3, 4)
void log_write(enum notice notice, const char *app, const char *format, ...);

/*
 * The same with ": " and what the negative errno @error means at the end.  Returns @error, so that
 * `return log_errno(r, ...)` reads well.
 */
PRINTF_LIKE(4, 5)
int log_errno(int error, enum notice notice, const char *app, const char *format, ...);

/*
 * Log the whole sentence @text as the event @name (stable, for machines) of @app ("": none).
 */
void log_event(enum log_level level, const char *name, const char *app, const char *text);
