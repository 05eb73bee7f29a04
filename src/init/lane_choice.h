/* lane_choice.h - which lanes of an app are empty, lost, or fit to be built on. */
#pragma once

#include "init/state.h"

/* True when @lane has a master in whatever state. */
bool lane_has_master(const struct app *app, unsigned lane);

/*
 * A lane that a roll can build on: an empty one, or where there is only one lane that.  LANE_COUNT
 * when none is empty.
 */
unsigned lane_pick(const struct app *app);

/* True when somebody shut down a listening socket of @lane. */
bool lane_lost(const struct app *app, unsigned lane);

/* True when so many are lost that there is none to roll to. */
bool lane_is_last(const struct app *app);

/*
 * Where to go when the active lane is lost: where its visitors were led already, or an empty one.
 * LANE_COUNT when there is none.
 */
unsigned lane_refuge(const struct app *app);

/* True when @lane has neither a master nor a connection. */
bool lane_empty(const struct app *app, unsigned lane);
