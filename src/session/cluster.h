/* cluster.h - everything that is asked of a Redis Cluster. */
#pragma once

#include <stdbool.h>

#include "session/inquiry.h"
#include "session/plan.h"

/* What CLUSTER INFO says; negative or empty where it does not.  Pure. */
struct cluster_state {
	bool known, ok;
	long slots; /* of 16384 */
	long primaries;
};

/*
 * Connect to each seed of @cluster, ask the first that answers, keep a session there, and note it
 * all.
 */
void cluster_run(struct asking *asking, const struct planned_cluster *cluster);

/* Read the @length bytes that CLUSTER INFO answers. */
void cluster_read(const char *info, size_t length, struct cluster_state *state);
