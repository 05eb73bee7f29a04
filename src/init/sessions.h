/* sessions.h - when the session stores are asked, and what their answers mean. */
#pragma once

#include "init/state.h"

/* Ask the store of @app, whose settings are known, now, unless it is being asked. */
void sessions_ask(struct app *app);

/* Ask again, with other settings than before; does nothing with verify = off. */
void sessions_ask_anew(struct app *app);

/*
 * Start @helper with the question about the stores in @sources, a memfd of struct session_source;
 * it answers with a struct store_report.  For the @preflight of a roll it only looks.  0 or
 * -errno.
 */
MUST_CHECK int sessions_start(struct app *app, int sources, bool preflight, struct helper *helper,
                              void (*on_answer)(struct helper *, const void *, size_t),
                              void (*on_end)(struct helper *));

/*
 * Make an answer of a helper, which has read a server's bytes, one that can be relied on, and a
 * failure where `verify` demands more than it found.
 */
void sessions_judge(const struct app *app, struct store_report *report);

/* Answered, and nothing that `verify` demands is missing. */
bool sessions_well(const struct app *app);

/* False when @app keeps no session in Redis and needs none, or verify = off. */
bool sessions_wanted(const struct app *app);

/* A master did not end in order: see to the session locks that its workers may have left. */
void sessions_release(struct app *app);

/* Stop asking, and let the store know that we leave, as far as time allows. */
void sessions_leave(struct app *app);

/* Stop everything. */
void sessions_stop(struct app *app);

void sessions_init(struct app *app);
