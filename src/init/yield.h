/*
 * yield.h - masters that have nothing left to do leave processors to those who serve, see
 * question/yield.h.
 */
#pragma once

#include "init/state.h"

/*
 * Have watch->yield do that for those that drain on its lane, unless it is at it.  They are about
 * to end.  Comes to nothing where it cannot be had: nobody waits for it.
 */
void yield_begin(struct lane_watch *watch);

void yield_stop(struct lane_watch *watch);

void yield_init(struct lane_watch *watch);
