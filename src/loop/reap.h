/* reap.h - collect dead children: the only waitid() of PID 1, so that nobody competes for one. */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "util/macros.h"

typedef void reap_fn(const siginfo_t *info, void *context);

/*
 * Collect dead children, orphans included, and tell @on_exit of each.  Never blocks.
 *
 * Returns true when there may be more: after REAP_BATCH of them others get their turn first.
 */
enum { REAP_BATCH = 512 };
MUST_CHECK bool reap_all(reap_fn *on_exit, void *context);

/* The exit status that a shell would show: 128 + n for signal n. */
int exit_code_of(const siginfo_t *info);
