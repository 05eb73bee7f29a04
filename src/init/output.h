/* output.h - what masters get as stderr. */
#pragma once

#include "confine/identity.h"
#include "init/state.h"

/*
 * Give a process that runs as @identity something it can open again by /proc/self/fd/2, as FPM
 * does with its error_log: our stderr where that works, if need be after handing its pipe to that
 * user, else a pipe whose other end a helper copies to our stderr.  Sets supervisor->stderr_fd.
 * 0 or -errno.
 */
MUST_CHECK int output_prepare(struct supervisor *supervisor, const struct identity *identity);
