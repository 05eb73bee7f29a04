#include "session/plan.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "session/verdict.h"
#include "util/text.h"

static bool same_store(const struct store_address *a, const struct store_address *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port && a->tls == b->tls &&
	       a->database == b->database && a->has_auth == b->has_auth &&
	       strcmp(a->user, b->user) == 0 && strcmp(a->password, b->password) == 0 &&
	       strcmp(a->prefix, b->prefix) == 0;
}

static void add_store(struct plan *plan, const struct store_address *store,
                      struct store_report *report)
{
	for (size_t i = 0; i < plan->count; i++)
		if (same_store(&plan->stores[i], store))
			return;
	if (plan->count == PLANS_MAX) {
		verdict_warn(report, "more than %d different stores: the others are not asked",
		             PLANS_MAX);
		return;
	}
	plan->stores[plan->count++] = *store;
}

static void add_redis(struct plan *plan, const struct session_source *source,
                      struct store_report *report)
{
	char why[SESSION_REASON_SIZE - sizeof("pool : ") - sizeof(source->pool)];
	struct save_path path;

	if (save_path_parse(source->save_path, &path, why, sizeof(why)) < 0) {
		verdict_fail(report, NULL, "pool %s: %s", source->pool, why);
		return;
	}
	for (size_t i = 0; i < path.count; i++)
		add_store(plan, &path.stores[i], report);
	if (path.trap[0] && !plan->trap[0]) {
		struct text text = TEXT(plan->trap);

		text_add(&text, "pool %s: %s", source->pool, path.trap);
	}
	if (!source->locking && !plan->unlocked)
		plan->unlocked = source->pool;
}

void plan_add(struct plan *plan, const struct session_source *source, struct store_report *report)
{
	if (strcasecmp(source->handler, "rediscluster") == 0) {
		report->uses_redis = true;
		verdict_warn(report, "pool %s keeps sessions in a cluster, which is not asked",
		             source->pool);
	} else if (strcasecmp(source->handler, "redis") == 0) {
		report->uses_redis = true;
		add_redis(plan, source, report);
	}
}
