/* plan.h - which stores to ask: those of all pools, each once.  Pure. */
#pragma once

#include <stddef.h>

#include "session/finding.h"
#include "session/savepath.h"
#include "session/store.h"

enum {
	PLANS_MAX = 64,
};

/* What PHP's handler asks for beside SETEX, GET and DEL, by its settings. */
struct needs {
	bool expire, exists, getex, lock;
};

struct planned_store {
	struct store_address address;
	struct needs needs;
	uint32_t workers; /* of all pools that use it: who may want a connection at once */
};

struct planned_cluster {
	struct save_path seeds;
	struct needs needs;
};

/* Starts zeroed.  Holds passwords: the owner wipes it. */
struct plan {
	size_t count;
	struct planned_store stores[PLANS_MAX];
	size_t cluster_count;
	struct planned_cluster clusters[SESSION_SOURCES_MAX];
};

/*
 * Add what @source names.  What cannot be asked is noted: a save_path that PHP refuses has failed,
 * a store too many is a warning, another handler is not asked.
 */
void plan_add(struct plan *plan, const struct session_source *source, struct findings *findings);

/* Does @source keep sessions in Redis? */
bool plan_is_redis(const struct session_source *source);
bool plan_is_cluster(const struct session_source *source);

/* "pool www" */
void plan_subject(const struct session_source *source, char *to, size_t size);
