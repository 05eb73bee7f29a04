/*
 * lane_watch.h - lanes that new connections no longer come to: their masters finish, and a
 * connection that arrives late all the same gets a rescue master.
 *
 * A handshake that began before a cutover can complete after the old lane looked empty.  So an
 * abandoned lane stays in the loop, and a rescue master, one more master of the active release,
 * serves what comes, drains and goes.
 *
 * PHP's workers have the listening sockets and can shut them down.  Such a lane is lost; if it was
 * the active one, its visitors and masters move.
 */
#pragma once

#include "init/state.h"

void lane_watches_init(struct app *app);

/* Start the drains, watches and rescues that the state of @app asks for. */
void lane_watches_advance(struct app *app);

/*
 * Give up a rescue master that does not start, on a lane where nobody else is.  Returns that lane,
 * or LANE_COUNT; what waits on it is for those that a roll starts there, which are more likely to
 * start than one more of the same.
 */
unsigned lane_give_up_rescue(struct app *app);

/*
 * Make the sockets of @lane ready to be built on, and do not watch it until the next
 * lane_watches_advance().  Returns 0, or -errno after having logged it.
 */
MUST_CHECK int lane_prepare(struct app *app, unsigned lane);

/* Forget all watches and drains. */
void lane_watches_stop(struct app *app);
