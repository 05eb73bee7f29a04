/* answers.h - what PID 1 answers to the commands of control clients. */
#pragma once

#include "init/state.h"

/* server->on_request */
void answers_request(struct server *server, struct client *client);

/* The stores of @app were asked; who wants to see all findings waits for PHP's too. */
void answers_store_asked(struct app *app);

/* All was asked: tell those who wait for it. */
void answers_sessions_asked(struct app *app);

/* @whom could not be asked, because of -errno @error: tell those who wait for it that and no more.
 */
void answers_sessions_unasked(struct app *app, const char *whom, int error);
