/* inquiry.h - everything that is asked of one store: each of its addresses, and whether it is one.
 */
#pragma once

#include <stdint.h>

#include "session/finding.h"
#include "session/plan.h"
#include "session/store.h"
#include "session/tasks.h"

/* What the questions to all stores have in common. */
struct asking {
	const struct store_query *query;
	uint64_t deadline_us; /* of everything */
	struct findings *findings;
	struct store_report *report; /* stores and latency are raised */
	struct member self;
	struct tasks tasks;
};

/*
 * As resolve().  What a slow name server takes is no part of the time for questions, or the last
 * store would look silent.
 */
MUST_CHECK int asking_resolve(struct asking *asking, const struct store_address *store,
                              struct target targets[TARGETS_MAX], struct findings *findings);

/* When a conversation that begins now has to end. */
uint64_t asking_deadline(const struct asking *asking);

/* Ask @store, and note what it says. */
void inquiry_run(struct asking *asking, const struct planned_store *store);

/*
 * Note who the members are of the store @subject, which @carrier talks to below @prefix.  Returns
 * how many there are, 0 when that is not known.
 */
uint32_t inquiry_members(struct asking *asking, struct carrier *carrier, const char *prefix,
                         const char *subject);

/* Raise report->latency_us. */
void inquiry_latency(struct asking *asking, uint64_t took_us);
