/* ask.h - ask one question in a helper and wait for its answer.  For commands, never for PID 1. */
#pragma once

#include "process/helper.h"
#include "util/macros.h"

/*
 * Start @question and wait for its first answer, which has to be of @size bytes, at most until
 * question->timeout_ms have passed (which must not be 0).  *@fd, unless @fd is NULL, is the
 * descriptor that came with it, the caller's, or FD_NONE.
 *
 * Returns 0, -ETIMEDOUT, -ENODATA when the helper ended without such an answer, or -errno.
 */
MUST_CHECK int helper_ask(const struct question *question, void *answer, size_t size, int *fd);
