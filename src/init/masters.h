/* masters.h - the places for masters: a start takes one, an exit is told to whose it was. */
#pragma once

#include <signal.h>

#include "init/state.h"

/* Make all places of @app empty. */
void masters_init(struct app *app);

/*
 * Start replica @number (from 1) of @generation on @lane, in a free place.  A process that cannot
 * be made is an exit like any other.
 */
void master_start(struct app *app, struct generation *generation, enum group group, unsigned lane,
                  unsigned number, bool rescue);

/* The active or candidate replica @number of @app that is not gone, or NULL. */
struct master *master_find(struct app *app, enum group group, unsigned number);

/* Is @pid a master's? */
bool master_is(struct supervisor *supervisor, pid_t pid);

/* @pid was reaped; @info says how.  False when it was none of ours. */
bool master_reaped(struct supervisor *supervisor, pid_t pid, const siginfo_t *info);

/* SIGKILL whatever masters and strays there still are. */
void masters_kill_all(struct supervisor *supervisor);
