/* chain.h - when replicas are asked to pass a session on, and what their answer means. */
#pragma once

#include "init/state.h"
#include "util/macros.h"

/* Put the script that PHP runs for it into run_dir.  0 or -errno. */
MUST_CHECK int chain_prepare(struct supervisor *supervisor);

/* Take it away again. */
void chain_clean_up(struct supervisor *supervisor);

/*
 * Ask whether the masters of @readers read what a replica wrote that serves now, or one of them
 * where none does.  app->proof is ANSWER_PENDING until the answer is there, then ANSWER_YES (also
 * where nobody needs to know) or ANSWER_NO, with the reason in app->why.
 */
void chain_ask(struct app *app, enum group readers);

/*
 * Ask the replicas that serve for a client who wants to see all findings, unless the store itself
 * has failed, which PHP would only wait for: app->findings and
 * app->chain_failed are set, then answers_sessions_asked() is called.
 */
void chain_look(struct app *app);

/* chain_ask() for the replicas that serve, in a moment: at boot the store may come later than we.
 */
void chain_ask_again(struct app *app);

void chain_stop(struct app *app);
void chain_init(struct app *app);
