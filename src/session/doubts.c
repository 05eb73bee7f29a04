#include "session/doubts.h"

#include <inttypes.h>
#include <string.h>

#include "session/cluster_path.h"
#include "session/plan.h"
#include "util/text.h"

#define LOCK_LONGER "set redis.session.lock_wait_time = 10000 and redis.session.lock_retries = 500"

enum {
	LOCK_WAIT_LEAST_MS = 1000, /* a page that is not fast */
};

static void check_path(const struct session_source *source, const char *subject,
                       struct findings *findings)
{
	char why[FINDING_TEXT_SIZE];
	struct save_path path;
	int r = plan_is_cluster(source)
	                ? cluster_path_parse(source->save_path, &path, why, sizeof(why))
	                : save_path_parse_for(source->save_path, source->phpredis, &path, why,
	                                      sizeof(why));

	if (r >= 0 && path.trap[0])
		findings_note_sentence(findings, FINDING_SAVE_PATH, FINDING_WARNING, subject,
		                       path.trap);
	explicit_bzero(&path, sizeof(path));
}

static void check_wait(const struct session_source *source, const char *subject,
                       struct findings *findings)
{
	uint64_t wait_us = (uint64_t)(source->lock_wait_us > 0 ? source->lock_wait_us : 0) *
	                   (uint64_t)(source->lock_retries > 0 ? source->lock_retries : 0);

	if (source->lock_retries < 0)
		findings_note(findings, FINDING_LOCKING, FINDING_WARNING, subject, LOCK_LONGER,
		              "redis.session.lock_retries is %" PRId32
		              ": requests wait for ever for a lock that is not released, until no "
		              "worker is left",
		              source->lock_retries);
	else if (wait_us < LOCK_WAIT_LEAST_MS * 1000)
		findings_note(findings, FINDING_LOCKING, FINDING_WARNING, subject, LOCK_LONGER,
		              "a request waits %" PRIu64
		              " ms for a session that another one has locked, then goes on "
		              "without it and loses what it writes",
		              wait_us / 1000);
	else
		findings_note(findings, FINDING_LOCKING, FINDING_OK, subject, NULL,
		              "redis.session.locking_enabled is on, requests wait up to %" PRIu64
		              ".%" PRIu64 " s for each other",
		              wait_us / 1000000, wait_us % 1000000 / 100000);
}

static void check_expiry(const struct session_source *source, const char *subject,
                         struct findings *findings)
{
	if (source->lock_expire_s <= 0 && source->max_execution_s <= 0)
		findings_note(findings, FINDING_LOCK_EXPIRY, FINDING_WARNING, subject,
		              "set redis.session.lock_expire = 30",
		              "locks never expire (redis.session.lock_expire and "
		              "max_execution_time are 0): a killed worker locks its visitor out "
		              "for ever");
}

static void check_locking(const struct session_source *source, const char *subject,
                          struct findings *findings)
{
	if (plan_is_cluster(source)) {
		findings_note(findings, FINDING_LOCKING, FINDING_WARNING, subject,
		              "use the handler redis with one primary where that matters",
		              "the handler rediscluster has no locking: requests of one visitor "
		              "at the same time overwrite each other's session");
	} else if (!source->locking) {
		findings_note(findings, FINDING_LOCKING, FINDING_WARNING, subject,
		              "set redis.session.locking_enabled = 1",
		              "redis.session.locking_enabled is off: requests of one visitor at "
		              "the same time overwrite each other's session");
	} else {
		check_wait(source, subject, findings);
		check_expiry(source, subject, findings);
	}
}

void doubts_note(const struct session_source *source, struct findings *findings)
{
	char subject[FINDING_SUBJECT_SIZE];

	if (!plan_is_redis(source))
		return;
	plan_subject(source, subject, sizeof(subject));
	check_path(source, subject, findings);
	check_locking(source, subject, findings);
}
