#include "session/seek.h"

#include <stdlib.h>
#include <string.h>

#include "session/choose.h"
#include "session/cluster_path.h"
#include "session/follow.h"
#include "session/login.h"
#include "session/plan.h"
#include "session/resolve.h"
#include "session/where.h"
#include "util/cleanup.h"
#include "util/text.h"

static enum sought ask(struct carrier *carrier, const char *prefix, const char *id)
{
	char key[STORE_PREFIX_SIZE + 300];
	struct text text = TEXT(key);
	const char *words[] = { "GET", key };
	redisReply *reply = NULL;

	text_add(&text, "%s%s", prefix, id);
	if (carrier->ask(carrier, ARRAY_SIZE(words), words, &reply) < 0)
		return SOUGHT_UNKNOWN;
	enum sought sought = reply->type == REDIS_REPLY_STRING ? SOUGHT_FOUND : SOUGHT_MISSING;
	freeReplyObject(reply);
	return sought;
}

/* Of several addresses PHP may have taken any, so one that has it is enough. */
static enum sought ask_addresses(const struct store_address *store, bool cluster, const char *id,
                                 uint64_t deadline_us)
{
	struct target targets[TARGETS_MAX] = { 0 };
	enum sought sought = SOUGHT_UNKNOWN;
	int n = resolve(store, targets, NULL);

	for (int i = 0; i < n && sought != SOUGHT_FOUND; i++) {
		struct follow link;
		enum sought here;

		follow_init(&link, store, cluster);
		link.resp.deadline_us = deadline_us;
		if (login(&link.resp, store, &targets[i]) == 0) {
			here = ask(&link.carrier, store->prefix, id);
			sought = here == SOUGHT_UNKNOWN ? sought : here;
		}
		follow_done(&link);
	}
	return sought;
}

enum sought seek_session(const struct session_source *source, const char *id, uint64_t deadline_us,
                         char *where)
{
	_cleanup_free_ struct save_path *path = calloc(1, sizeof(*path));
	const bool cluster = plan_is_cluster(source);
	struct text text = text_init(where, STORE_WHERE_SIZE);
	enum sought sought = SOUGHT_UNKNOWN;
	char why[SESSION_REASON_SIZE];

	if (!path)
		return SOUGHT_UNKNOWN;
	if (cluster ? cluster_path_parse(source->save_path, path, why, sizeof(why)) < 0
	            : save_path_parse(source->save_path, path, why, sizeof(why)) < 0)
		return SOUGHT_UNKNOWN;
	const struct store_address *store = cluster ? &path->stores[0] : choose_store(path, id);

	where_add(&text, store);
	sought = store->tls && !tls_built_in() ? SOUGHT_TLS
	                                       : ask_addresses(store, cluster, id, deadline_us);
	explicit_bzero(path, sizeof(*path));
	return sought;
}
