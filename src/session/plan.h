/* plan.h - which stores to ask: those of all pools, each once.  Pure. */
#pragma once

#include <stddef.h>

#include "session/savepath.h"
#include "session/store.h"

enum {
	PLANS_MAX = 64,
};

/* Starts zeroed.  Holds passwords: the owner wipes it. */
struct plan {
	size_t count;
	struct store_address stores[PLANS_MAX];
	/* What to warn of when nothing measured is worse: */
	char trap[SESSION_REASON_SIZE]; /* "pool www: ...", the first one; empty: none */
	const char *unlocked;           /* the first pool without locking, or NULL */
};

/*
 * Add what @source names, which is borrowed.  Sets report->uses_redis, and says there what cannot
 * be asked: a save_path that PHP refuses is a failure, a cluster or one store too many a warning.
 */
void plan_add(struct plan *plan, const struct session_source *source, struct store_report *report);
