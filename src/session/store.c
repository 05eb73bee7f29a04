#include "session/store.h"

#include <stdlib.h>
#include <string.h>

#include "session/cluster.h"
#include "session/doubts.h"
#include "session/follow.h"
#include "session/inquiry.h"
#include "session/login.h"
#include "session/plan.h"
#include "session/resolve.h"
#include "session/where.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

static struct plan *make_plan(const struct store_query *query, struct findings *findings)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	for (unsigned i = 0; plan && i < query->count; i++)
		plan_add(plan, &query->sources[i], findings);
	return plan;
}

static void drop_plan(struct plan *plan)
{
	explicit_bzero(plan, sizeof(*plan));
	free(plan);
}

/* --- the short answer --- */

static const struct store_address *first_store(const struct plan *plan)
{
	if (plan->count > 0)
		return &plan->stores[0].address;
	return plan->cluster_count > 0 ? &plan->clusters[0].seeds.stores[0] : NULL;
}

/* The store that a failure is about, or else the first one. */
static void fill_where(const struct plan *plan, const struct finding *failed,
                       struct store_report *report)
{
	const struct store_address *store = first_store(plan);
	struct text where = TEXT(report->where);

	for (size_t i = 0; failed && i < plan->count; i++) {
		char name[STORE_WHERE_SIZE];
		struct text text = TEXT(name);

		where_add(&text, &plan->stores[i].address);
		if (text_begins(failed->subject, name))
			store = &plan->stores[i].address;
	}
	if (store)
		where_add(&where, store);
}

static void conclude(const struct plan *plan, const struct findings *findings,
                     struct store_report *report)
{
	const struct finding *failed = findings_first(findings, FINDING_FAILED);
	const struct finding *warning = findings_first(findings, FINDING_WARNING);

	fill_where(plan, failed, report);
	report->members = findings->member_count;
	if (report->where[0])
		report->state = STORE_OK;
	if (failed) {
		report->state = STORE_FAILED;
		finding_sentence(failed, report->reason, sizeof(report->reason));
	}
	if (warning)
		finding_sentence(warning, report->warning, sizeof(report->warning));
}

static void ask_plan(const struct plan *plan, struct asking *asking)
{
	const struct store_query *query = asking->query;

	for (size_t i = 0; i < plan->count; i++)
		inquiry_run(asking, &plan->stores[i]);
	for (size_t i = 0; i < plan->cluster_count; i++)
		cluster_run(asking, &plan->clusters[i]);
	/* What was seen is worth more than what is likely. */
	for (unsigned i = 0; i < query->count; i++) {
		doubts_note(&query->sources[i], asking->findings);
		asking->report->uses_redis |= plan_is_redis(&query->sources[i]);
	}
}

void store_ask(const struct store_query *query, struct findings *findings,
               struct store_report *report)
{
	struct asking asking = {
		.query = query,
		.deadline_us = clock_us() + (uint64_t)query->total_ms * 1000,
		.findings = findings,
		.report = report,
	};

	memset(findings, 0, sizeof(*findings));
	memset(report, 0, sizeof(*report));
	resolve_prepare(query->timeout_ms);
	members_self(&query->membership, &asking.self);
	struct plan *plan = make_plan(query, findings);
	if (!plan) {
		report->state = STORE_FAILED;
		text_copy_cut(report->reason, sizeof(report->reason),
		              "no memory to ask the session store");
		return;
	}
	ask_plan(plan, &asking);
	conclude(plan, findings, report);
	drop_plan(plan);
}

/* --- leaving --- */

static void leave(const struct store_address *store, const char *id, bool cluster,
                  uint64_t deadline_us)
{
	struct target targets[TARGETS_MAX] = { 0 };
	struct follow link;
	int n = store->tls && !tls_built_in() ? 0 : resolve(store, targets, NULL);

	follow_init(&link, store, cluster);
	link.resp.deadline_us = deadline_us;
	if (n > 0 && login(&link.resp, store, &targets[0]) == 0)
		members_leave(&link.carrier, store->prefix, id);
	follow_done(&link);
}

void store_leave(const struct store_query *query)
{
	uint64_t deadline_us = clock_us() + (uint64_t)query->total_ms * 1000;
	const char *id = query->membership.id;
	struct plan *plan;

	resolve_prepare(query->timeout_ms);
	plan = make_plan(query, NULL);
	if (!plan)
		return;
	for (size_t i = 0; i < plan->count; i++)
		leave(&plan->stores[i].address, id, false, deadline_us);
	for (size_t i = 0; i < plan->cluster_count; i++)
		leave(&plan->clusters[i].seeds.stores[0], id, true, deadline_us);
	drop_plan(plan);
}
