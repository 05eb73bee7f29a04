#include "session/plan.h"

#include <string.h>
#include <strings.h>

#include "session/cluster_path.h"
#include "util/text.h"

bool plan_is_cluster(const struct session_source *source)
{
	return strcasecmp(source->handler, "rediscluster") == 0;
}

bool plan_is_redis(const struct session_source *source)
{
	return strcasecmp(source->handler, "redis") == 0 || plan_is_cluster(source);
}

void plan_subject(const struct session_source *source, char *to, size_t size)
{
	struct text text = text_init(to, size);

	text_add(&text, "pool %s", source->pool);
}

static bool same_store(const struct store_address *a, const struct store_address *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port && a->tls == b->tls &&
	       a->database == b->database && a->has_auth == b->has_auth &&
	       strcmp(a->user, b->user) == 0 && strcmp(a->password, b->password) == 0 &&
	       strcmp(a->prefix, b->prefix) == 0;
}

static struct planned_store *place_for(struct plan *plan, const struct store_address *store)
{
	for (size_t i = 0; i < plan->count; i++)
		if (same_store(&plan->stores[i].address, store))
			return &plan->stores[i];
	if (plan->count == PLANS_MAX)
		return NULL;
	plan->stores[plan->count].address = *store;
	return &plan->stores[plan->count++];
}

/* The cluster handler has nothing but open, read, write and destroy before phpredis 6. */
static void add_needs(struct needs *needs, const struct session_source *source)
{
	bool cluster = plan_is_cluster(source);

	needs->expire |= source->lazy_write && !cluster;
	needs->exists |= source->strict_mode && !cluster;
	needs->getex |= source->early_refresh;
	needs->lock |= source->locking && !cluster;
}

static void add_stores(struct plan *plan, const struct session_source *source,
                       const struct save_path *path, struct findings *findings)
{
	char subject[FINDING_SUBJECT_SIZE];

	for (size_t i = 0; i < path->count; i++) {
		struct planned_store *place = place_for(plan, &path->stores[i]);

		plan_subject(source, subject, sizeof(subject));
		if (place) {
			add_needs(&place->needs, source);
			place->workers += source->workers;
		} else {
			findings_note(findings, FINDING_STORES, FINDING_WARNING, subject, NULL,
			              "has more than %d different stores with the pools before it: "
			              "the others are not asked",
			              PLANS_MAX);
		}
	}
}

static void add_cluster(struct plan *plan, const struct session_source *source,
                        const struct save_path *path)
{
	struct planned_cluster *cluster = &plan->clusters[plan->cluster_count];

	if (plan->cluster_count == ARRAY_SIZE(plan->clusters))
		return; /* as many as there are sources */
	cluster->seeds = *path;
	add_needs(&cluster->needs, source);
	plan->cluster_count++;
}

void plan_add(struct plan *plan, const struct session_source *source, struct findings *findings)
{
	char subject[FINDING_SUBJECT_SIZE], why[FINDING_TEXT_SIZE];
	struct save_path path;
	int r;

	plan_subject(source, subject, sizeof(subject));
	if (!plan_is_redis(source)) {
		findings_note(findings, FINDING_HANDLER, FINDING_NOT_ASKED, subject, NULL,
		              "keeps its sessions with the handler '%s', not in Redis",
		              source->handler);
		return;
	}
	if (plan_is_cluster(source))
		r = cluster_path_parse(source->save_path, &path, why, sizeof(why));
	else
		r = save_path_parse(source->save_path, &path, why, sizeof(why));
	if (r < 0)
		findings_note_sentence(findings, FINDING_SAVE_PATH, FINDING_FAILED, subject, why);
	else if (plan_is_cluster(source))
		add_cluster(plan, source, &path);
	else
		add_stores(plan, source, &path, findings);
	explicit_bzero(&path, sizeof(path));
}
