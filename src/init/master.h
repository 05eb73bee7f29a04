/* master.h - the one place where a master changes state: decide, say so, act. */
#pragma once

#include "init/state.h"

/* Make @master an empty place of @app. */
void master_prepare(struct master *master, struct app *app);

/* Something happened to @master; carry out what the lifecycle says. */
void master_deliver(struct master *master, enum master_event event);

/* The program stops: whatever @master's state waits for must come within what is left of that. */
void master_hurry(struct master *master);

/* SIGKILL it and its workers, if it has a process. */
void master_kill(const struct master *master);
