/*
 * watch.h - the time after a cutover in which there is a way back: the old masters linger, idle and
 * warm, while the new ones are looked at.
 */
#pragma once

#include "init/state.h"

/* Will a roll to the candidate of @app linger? */
bool watch_wanted(const struct app *app);

/*
 * The active release of @app is new, and @old on @lane is the way back.  For `linger` its health
 * and its workers are watched.
 */
void watch_begin(struct app *app, struct generation *old, unsigned lane);

/* Look at what has been seen; may condemn the release. */
void watch_advance(struct app *app);

/* It shall not stay: @why is one sentence. */
void watch_condemn(struct app *app, const char *why);

/* How long the way back stays open; 0: there is none. */
uint64_t watch_left_ms(const struct app *app);

/* There is no way back any more. */
void watch_end(struct app *app);

void watch_init(struct app *app);
