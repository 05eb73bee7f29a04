/* roll.h - carry out what the rollout orders. */
#pragma once

#include "init/state.h"

/* Ask for a roll of @app; one at a time, a further one is remembered. */
void roll_request(struct app *app);

/* Give the drains of @app no time, until no roll is left: what is in flight is cut off. */
void roll_force(struct app *app);

/* A roll ended with @outcome, and nothing is left to do: tell those who wait. */
void roll_conclude(struct app *app, enum roll_outcome outcome);

/* The number that the next roll to begin will have. */
uint32_t roll_next_number(const struct app *app);

/* Show the rollout what there is and carry out its orders until it has none. */
void roll_advance(struct app *app);

/* Forget the roll at hand: the program stops. */
void roll_cancel(struct app *app);

/* Start every replica that @app should have and has not. */
void roll_fill(struct app *app);

void roll_init(struct app *app);
