/* output.h - what masters get as stderr. */
#pragma once

#include "init/state.h"

/*
 * Find something that the users of all apps can open again by /proc/self/fd/2, as FPM does with its
 * error_log: our stderr where that works, if need be after having opened its pipe to them, else a
 * relay to it.  0 or -errno.
 */
MUST_CHECK int output_prepare(struct supervisor *supervisor);

/* The stderr for masters of @generation: its own relay's, where it has one.  Borrowed. */
int output_of(const struct supervisor *supervisor, const struct generation *generation);

/* All masters are gone: let the helpers copy what is left, for at most half a second. */
void output_finish(struct supervisor *supervisor);
