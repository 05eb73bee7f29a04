/* probe.h - use one address of a store as PHP's handler does: keep a session there for a moment. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "session/complaint.h"
#include "session/follow.h"
#include "session/plan.h"
#include "session/resolve.h"
#include "session/sample.h"
#include "util/macros.h"

/* Starts as probe_init() made it, in the place where it stays; the owner calls probe_done(). */
struct probe {
	const struct store_address *store;
	const struct needs *needs;
	const struct target *target;
	struct subject subject;
	struct follow link;
	struct sample sample;
	int error;        /* of the connection or the conversation; 0: it can go on */
	bool written;     /* the sample is there */
	uint64_t took_us; /* the conversation so far */
	bool right[STEP_COUNT];
};

/*
 * Borrows what it is given.  A @cluster may send it to other nodes.  @timeout_ms is only said, see
 * probe_connect().
 */
void probe_init(struct probe *probe, const struct store_address *store, const struct needs *needs,
                const struct target *target, bool cluster, uint32_t timeout_ms,
                struct findings *findings);

/* Connect.  Blocks until @deadline_us (util/clock.h) at most.  Returns probe->error. */
MUST_CHECK int probe_connect(struct probe *probe, uint64_t deadline_us);

/*
 * Log in and choose the database, and note what is wrong with the answers.  Blocks until the
 * deadline of probe_connect().  probe->error tells whether the conversation can go on.
 */
void probe_login(struct probe *probe);

/*
 * After that, write and read the sample and ask what else PHP needs, and note what is wrong with
 * the answers. Blocks until the deadline of probe_connect().  The sample stays.
 */
void probe_use(struct probe *probe);

/* Delete the sample, and note what is right.  Blocks until @deadline_us at most. */
void probe_finish(struct probe *probe, uint64_t deadline_us);

void probe_done(struct probe *probe);
