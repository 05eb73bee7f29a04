#include "session/store.h"

#include <stdlib.h>
#include <string.h>

#include "session/plan.h"
#include "session/probe.h"
#include "session/resolve.h"
#include "session/verdict.h"
#include "session/where.h"
#include "util/cleanup.h"
#include "util/text.h"

/* Two addresses of one family are two stores; one of each family is one dual-stack store. */
static void check_addresses(const struct store_address *store, const struct target *targets, int n,
                            struct store_report *report)
{
	int inet4 = 0, inet6 = 0;

	for (int i = 0; i < n; i++) {
		inet4 += targets[i].at.any.sa_family == AF_INET;
		inet6 += targets[i].at.any.sa_family == AF_INET6;
	}
	if (inet4 > 1 || inet6 > 1)
		verdict_warn(report,
		             "'%s' has %d addresses (%s, %s%s): if these are several stores, "
		             "sessions get lost between them; run one primary, or name each store "
		             "in session.save_path",
		             store->host, n, targets[0].text, targets[1].text,
		             n > 2 ? ", ..." : "");
}

static void ask_one(const struct store_address *store, uint32_t timeout_ms,
                    struct store_report *report)
{
	struct target targets[TARGETS_MAX] = { 0 };
	char why[SESSION_REASON_SIZE] = "";
	int connected = 0;
	int n = resolve(store, targets, report);

	report->stores++;
	if (n < 0)
		return;
	check_addresses(store, targets, n, report);
	for (int i = 0; i < n; i++)
		connected += probe(store, &targets[i], timeout_ms, report, why, sizeof(why));
	if (connected == 0)
		verdict_fail(report, store, "%s", why);
	else if (why[0])
		verdict_warn(report, "%s (PHP goes on to the next address)", why);
	if (store->tls && connected > 0)
		verdict_warn(report, "tls://%s:%u takes connections, but is not asked over TLS",
		             store->host, store->port);
}

/* What is told when nothing measured is worse. */
static void conclude(const struct plan *plan, struct store_report *report)
{
	if (plan->trap[0])
		verdict_warn(report, "%s", plan->trap);
	if (plan->unlocked)
		verdict_warn(report,
		             "pool %s: redis.session.locking_enabled is off: requests of one "
		             "visitor at the same time overwrite each other's session",
		             plan->unlocked);
	if (plan->count > 0 && report->state != STORE_FAILED) {
		struct text where = TEXT(report->where);

		report->state = STORE_OK;
		where_add(&where, &plan->stores[0]);
	}
}

void store_ask(const struct session_source *sources, unsigned count, uint32_t timeout_ms,
               struct store_report *report)
{
	_cleanup_free_ struct plan *plan = calloc(1, sizeof(*plan));

	memset(report, 0, sizeof(*report));
	if (!plan) {
		verdict_fail(report, NULL, "no memory to ask the session store");
		return;
	}
	resolve_prepare(timeout_ms);
	for (unsigned i = 0; i < count; i++)
		plan_add(plan, &sources[i], report);
	for (size_t i = 0; i < plan->count; i++)
		ask_one(&plan->stores[i], timeout_ms, report);
	conclude(plan, report);
	explicit_bzero(plan, sizeof(*plan));
}
