/* replicas.h - single replicas, stopped and started by an operator. */
#pragma once

#include "init/state.h"

/*
 * Carry out the COMMAND_START, COMMAND_STOP or COMMAND_RESTART of @client on the replicas of @app
 * that it names.  The client waits for the end, or is told why not.
 */
void replicas_order(struct app *app, struct client *client);

/* Would that order leave nobody who serves @app? */
bool replicas_last(struct app *app, const struct client *client);

/* Start what is to be started again, and tell those whose replicas are where they want them. */
void replicas_advance(struct app *app);
