/* shutdown.h - leave with nothing lost and nothing left. */
#pragma once

#include "init/state.h"

/*
 * Begin to stop; the program ends with @exit_status.  With @drain it goes on accepting for `quiet`,
 * then takes no new connection, serves what waits and what runs, and ends what is left when
 * stop_timeout is over; without, what runs is cut off.  A second call makes a drain a cut.
 */
void shutdown_begin(struct supervisor *supervisor, int exit_status, bool drain);

/* Go on stopping; sets supervisor->done when nothing is left. */
void shutdown_advance(struct supervisor *supervisor);
