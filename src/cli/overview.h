/* overview.h - all that a command shows of a running twinit, from whoever knows it. */
#pragma once

#include "control/wire.h"
#include "fpm/status.h"
#include "listen/lane.h"
#include "session/finding.h"
#include "util/macros.h"

enum {
	/* As many as there can be; what is more (from somebody else at the socket) is left out. */
	OVERVIEW_REPLICAS_MAX = LANE_COUNT * (REPLICAS_MAX + 1),
	OVERVIEW_POOLS_MAX = (LANE_COUNT + 1) * POOLS_MAX,
};

/* What FPM says of one pool of one master. */
struct pool_view {
	char name[POOL_NAME_SIZE];
	bool answers;
	uint32_t ping_us; /* how long the answer took */
	struct fpm_status status;
};

struct replica_view {
	struct wire_replica wire;
	unsigned pool_count;
	struct pool_view pools[POOLS_MAX];
	bool answers;             /* each pool of it does */
	uint32_t ping_us;         /* the longest */
	struct fpm_status status; /* of all its pools together */
	bool has_memory;          /* what follows is known */
	uint64_t memory;          /* bytes, of the master and its workers, see cli/processes.h */
	unsigned processes;
};

struct app_view {
	struct wire_app wire;
	unsigned replica_count;
	struct replica_view replicas[OVERVIEW_REPLICAS_MAX];
	unsigned pool_count;
	struct wire_pool pools[OVERVIEW_POOLS_MAX];
	struct wire_sessions sessions; /* findings_fd is ours */
};

struct overview {
	struct wire_container container;
	bool here; /* it runs in our PID namespace */
	unsigned app_count;
	struct app_view apps[APPS_MAX];
};

/*
 * Ask the running twinit, and with @deep each FPM master and /proc, what there is of @app ("": of
 * all) and of its @replica (0: of all).  Takes a second longer at most when masters do not answer.
 * The memory is static: one overview for each process.
 *
 * Returns the exit status; after what is not 0 all has been said on stderr.
 */
MUST_CHECK int overview_ask(const char *app, unsigned replica, bool deep,
                            const struct overview **overview);

/* "active", "candidate", "old", or the phase of a container, or the state of a store. */
const char *overview_group_name(enum group group);
const char *overview_phase_name(enum container_phase phase);
const char *overview_store_name(uint32_t state);

/* What was found out about its sessions; the memory is static and taken by the next call. */
const struct findings *overview_findings(const struct wire_sessions *sessions);

/* The status of @replicas of @group in @app together; a queue that several share counts once. */
struct fpm_status overview_total(const struct app_view *app, enum group group);
