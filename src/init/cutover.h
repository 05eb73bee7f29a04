/* cutover.h - which masters the connections go to. */
#pragma once

#include "init/state.h"

/*
 * Move all new connections to the candidates of @app, which become the active masters; the others
 * are old ones then, and go on until drain_old().  What fails is told to the rollout.
 */
void cutover_to_candidate(struct app *app);

/* The way back, while there is one: the old masters become the active ones again. */
void cutover_back(struct app *app);

/*
 * When somebody shut down the active lane: move its visitors to another one and let its masters
 * finish; roll_fill() starts others of the same release.  What fails is tried again soon.  Returns
 * true when it was done.
 */
bool cutover_from_lost_lane(struct app *app);

/* Let the old masters of @app finish and go. */
void drain_old(struct app *app);
