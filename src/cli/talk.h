/* talk.h - what all commands that ask a running twinit have in common. */
#pragma once

#include "control/connection.h"
#include "util/macros.h"

/*
 * Find the running twinit (TWINIT_RUN_DIR, the configuration's run_dir, or the usual places) and
 * send it @request.  Returns a descriptor, or -1 after having said on stderr where it
 * looked and what was wrong.
 */
MUST_CHECK int talk_open(const struct wire_request *request);

/* Where talk_open() found it: its run_dir.  Borrowed; "" before that. */
const char *talk_run_dir(void);

/* Put the app's name @app into @request.  Returns 0, or the exit status for one too long to be one.
 */
MUST_CHECK int talk_name(struct wire_request *request, const char *app);

/*
 * Call @on_reply for each reply until the last.  @patience_ms is the longest silence, -1 for none.
 *
 * Returns the exit status that twinit gave, or EXIT_FAILURE; what went wrong is on stderr.
 */
MUST_CHECK int talk_listen(int fd, int patience_ms,
                           void (*on_reply)(const struct wire_reply *reply, void *context),
                           void *context);

/* How long PID 1 may take for an answer that it has at hand. */
enum { TALK_PATIENCE_MS = 5000 };

/* "34 ms", "2.5 s", "3 min", "5 h", "12 d"; @to has 32 bytes.  Returns @to. */
const char *talk_time(uint64_t ms, char to[32]);

/* The same in at most five characters, for tables: "34ms", "2.5s", "3m", "5h", "12d". */
const char *talk_short_time(uint64_t ms, char to[32]);

/* A number in at most five characters: "999", "12.3k", "1.2M"; bytes with powers of 1024. */
const char *talk_number(uint64_t number, unsigned thousand, char to[32]);
