/* answers.h - what PID 1 answers to the commands of control clients. */
#pragma once

#include "init/state.h"

/* server->on_request */
void answers_request(struct server *server, struct client *client);

/* The stores of @app were asked: tell those who wait for it. */
void answers_sessions_asked(struct app *app);
