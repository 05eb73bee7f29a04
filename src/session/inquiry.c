#include "session/inquiry.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session/inspect.h"
#include "session/locks.h"
#include "session/login.h"
#include "session/probe.h"
#include "session/slice.h"
#include "session/where.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

#define ONE_STORE "run one primary, or name each store in session.save_path"

/* One store while it is asked. */
struct inquiry {
	struct asking *asking;
	const struct planned_store *store;
	struct subject subject; /* the store as a whole */
	int count;
	struct target targets[TARGETS_MAX];
	struct probe probes[TARGETS_MAX];
	struct inspection inspections[TARGETS_MAX];
	struct probe *first; /* the first that was written to, or NULL */
	uint32_t members;
};

int asking_resolve(struct asking *asking, const struct store_address *store,
                   struct target targets[TARGETS_MAX], struct findings *findings)
{
	uint64_t start = clock_us();
	int n = resolve(store, targets, findings);

	asking->deadline_us += clock_us() - start;
	return n;
}

uint64_t asking_deadline(const struct asking *asking)
{
	uint64_t soon = clock_us() + (uint64_t)asking->query->timeout_ms * 1000;

	return soon < asking->deadline_us ? soon : asking->deadline_us;
}

void inquiry_latency(struct asking *asking, uint64_t took_us)
{
	uint32_t took = took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us;

	if (took > asking->report->latency_us)
		asking->report->latency_us = took;
}

/* --- connecting and using --- */

static int connect_all(struct inquiry *q)
{
	int connected = 0;

	for (int i = 0; i < q->count; i++) {
		probe_init(&q->probes[i], &q->store->address, &q->store->needs, &q->targets[i],
		           false, q->asking->query->timeout_ms, q->asking->findings);
		connected += probe_connect(&q->probes[i], asking_deadline(q->asking)) == 0;
	}
	for (int i = 0; i < q->count; i++)
		if (q->probes[i].error < 0)
			complaint_connect(&q->probes[i].subject, q->probes[i].error, connected > 0);
	return connected;
}

static void use_all(struct inquiry *q)
{
	for (int i = 0; i < q->count; i++) {
		struct probe *probe = &q->probes[i];

		if (probe->error < 0)
			continue;
		probe->link.resp.deadline_us = asking_deadline(q->asking);
		probe_login(probe);
		probe_use(probe);
		if (!q->first && probe->written && probe->error == 0)
			q->first = probe;
	}
}

/* --- who else is there --- */

uint32_t inquiry_members(struct asking *asking, struct carrier *carrier, const char *prefix,
                         const char *subject)
{
	const struct membership *membership = &asking->query->membership;
	struct members members;

	if (!membership->join)
		return 0;
	int r = members_join(carrier, prefix, &asking->self, membership->every_s, &members);
	members_note(&members, r, subject, asking->findings);
	if (r < 0)
		return 0;
	if (membership->service[0])
		tasks_compare(&asking->tasks, membership->service, &members, subject,
		              asking->findings);
	return members.count;
}

static void find_members(struct inquiry *q)
{
	if (!q->first)
		return;
	q->first->link.resp.deadline_us = asking_deadline(q->asking);
	q->members = inquiry_members(q->asking, &q->first->link.carrier, q->store->address.prefix,
	                             q->subject.name);
}

/* --- one store or two --- */

static void inspect_all(struct inquiry *q)
{
	for (int i = 0; i < q->count; i++) {
		struct probe *probe = &q->probes[i];
		struct inspection *inspection = &q->inspections[i];

		inspection->store = &q->store->address;
		inspection->target = &q->targets[i];
		inspection->own = probe->written ? &probe->sample : NULL;
		inspection->other = q->first && q->first != probe ? &q->first->sample : NULL;
		/* Whoever answers with an error still tells how it is set up. */
		if (probe->error == 0 || probe->error == -EREMOTEIO)
			inspect(inspection, asking_deadline(q->asking), true);
	}
}

static void note_missing(struct inquiry *q, const struct target *there)
{
	findings_note(q->asking->findings, FINDING_SPLIT, FINDING_FAILED, q->subject.name,
	              ONE_STORE,
	              "%s does not have what was written to %s just now: these are two stores, "
	              "and sessions get lost between them",
	              there->text, q->first->target->text);
}

/* Two connections to one address, which balances them. */
static void note_balanced(struct inquiry *q, const struct target *target)
{
	findings_note(q->asking->findings, FINDING_SPLIT, FINDING_FAILED, q->subject.name,
	              ONE_STORE,
	              "what one connection to %s wrote another does not see: there are two stores "
	              "behind it, and sessions get lost between them",
	              target->text[0] ? target->text : "it");
}

/* Swarm's name server has one address for the service and shows the tasks behind it elsewhere. */
static bool has_tasks(const struct store_address *store)
{
	struct slice host = slice_of(store->host);

	return store->port != 0 && !slice_has(host, '.') && !slice_has(host, ':') &&
	       strcmp(store->host, "localhost") != 0;
}

/* True when there is more than one task and all of them were seen to be the same store. */
static bool look_behind(struct inquiry *q)
{
	struct target targets[TARGETS_MAX] = { 0 };
	int n = has_tasks(&q->store->address)
	                ? resolve_tasks(q->store->address.host, q->store->address.port, targets)
	                : 0;
	int seen = 0;

	for (int i = 0; n > 1 && i < n; i++) {
		struct inspection inspection = {
			.store = &q->store->address,
			.target = &targets[i],
			.other = &q->first->sample,
		};

		inspect(&inspection, asking_deadline(q->asking), false);
		if (inspection.other_sight == SIGHT_MISSING)
			note_missing(q, &targets[i]);
		seen += inspection.other_sight == SIGHT_SEEN;
	}
	return n > 1 && seen == n;
}

static void note_split(struct inquiry *q)
{
	int others = 0;

	for (int i = 0; i < q->count; i++) {
		const struct inspection *inspection = &q->inspections[i];

		if (inspection->own_sight == SIGHT_MISSING)
			note_balanced(q, inspection->target);
		if (inspection->other_sight == SIGHT_MISSING)
			note_missing(q, inspection->target);
		others += inspection->other_sight == SIGHT_SEEN;
	}
	bool behind = look_behind(q);
	if (others > 0 || behind)
		findings_note(q->asking->findings, FINDING_SPLIT, FINDING_OK, q->subject.name, NULL,
		              "its addresses are one store: what was written to one is seen at "
		              "the others");
}

/* --- how it is set up --- */

static void note_cluster(const struct inspection *inspection, const char *subject,
                         struct findings *findings)
{
	if (inspection->moved)
		findings_note(findings, FINDING_CLUSTER, FINDING_FAILED, subject,
		              "set session.save_handler = rediscluster",
		              "is a cluster: most sessions live on other nodes (MOVED)");
	else if (facts_is_cluster(&inspection->facts))
		findings_note(findings, FINDING_CLUSTER, FINDING_WARNING, subject,
		              "set session.save_handler = rediscluster, or use Redis without "
		              "cluster mode",
		              "is in cluster mode: once it has a second node most sessions fail");
}

static void note_setup(struct inquiry *q)
{
	for (int i = 0; i < q->count; i++) {
		const struct inspection *inspection = &q->inspections[i];
		const struct probe *probe = &q->probes[i];

		if (!inspection->asked || (!probe->written && !inspection->facts.version[0]))
			continue;
		note_cluster(inspection, probe->subject.name, q->asking->findings);
		facts_note(&inspection->facts, probe->subject.name,
		           (uint64_t)q->store->workers * (q->members ? q->members : 1),
		           q->asking->findings);
	}
}

static void finish_all(struct inquiry *q)
{
	for (int i = 0; i < q->count; i++) {
		struct probe *probe = &q->probes[i];

		if (probe->error == 0)
			probe_finish(probe, asking_deadline(q->asking));
		if (probe->error == 0)
			inquiry_latency(q->asking, probe->took_us);
	}
}

/* --- what killed workers left --- */

static bool has_double(const struct inquiry *q)
{
	const struct findings *findings = q->asking->findings;

	for (uint32_t i = 0; i < findings->count; i++)
		if (findings->list[i].id == FINDING_HOSTNAME)
			return true;
	return false;
}

/* In a conversation of its own: a scan may take all that one is given. */
static void release_locks(struct inquiry *q)
{
	const struct store_address *store = &q->store->address;
	char hostname[HOST_NAME_MAX + 1];
	struct follow link;
	uint32_t released = 0;

	if (!q->first || !q->store->needs.lock || gethostname(hostname, sizeof(hostname)) < 0)
		return;
	follow_init(&link, store, false);
	link.resp.deadline_us = asking_deadline(q->asking);
	int r = login(&link.resp, store, q->first->target);
	if (r == 0)
		r = locks_release(&link.carrier, store->prefix, hostname, &released);
	follow_done(&link);
	q->asking->report->released += released;
	if (r < 0)
		findings_note(q->asking->findings, FINDING_LOCKS, FINDING_UNKNOWN, q->subject.name,
		              r == -EACCES ? "allow +scan" : NULL,
		              "does not show the locks that killed workers left; they expire by "
		              "themselves");
	else
		findings_note(q->asking->findings, FINDING_LOCKS, FINDING_OK, q->subject.name, NULL,
		              "of the locks that killed workers left %u had to be released",
		              released);
}

static void ask_all(struct inquiry *q)
{
	use_all(q);
	find_members(q);
	inspect_all(q);
	if (q->first)
		note_split(q);
	finish_all(q);
	note_setup(q);
	if (q->asking->query->release && q->members > 0 && !has_double(q))
		release_locks(q);
}

/* Why nothing can be asked over a connection of ours, or NULL. */
static const char *tls_trouble(const struct inquiry *q)
{
	for (int i = 0; i < q->count; i++)
		if (q->probes[i].error == 0 && q->probes[i].link.resp.tls_why)
			return q->probes[i].link.resp.tls_why;
	return NULL;
}

static void note_tls(struct inquiry *q)
{
	const char *why = tls_trouble(q);

	findings_note(q->asking->findings, FINDING_TLS, FINDING_NOT_ASKED, q->subject.name, NULL,
	              "takes connections, and is not asked itself: %s", why);
	for (int i = 0; i < q->count; i++)
		if (q->probes[i].error == 0)
			inquiry_latency(q->asking, q->probes[i].took_us);
}

void inquiry_run(struct asking *asking, const struct planned_store *store)
{
	_cleanup_free_ struct inquiry *q = calloc(1, sizeof(*q));

	asking->report->stores++;
	if (!q) {
		findings_note(asking->findings, FINDING_STORES, FINDING_FAILED, "twinit", NULL,
		              "has no memory to ask the session store");
		return;
	}
	q->asking = asking;
	q->store = store;
	q->subject =
		subject_init(&store->address, NULL, asking->query->timeout_ms, asking->findings);
	q->count = asking_resolve(asking, &store->address, q->targets, asking->findings);
	int connected = connect_all(q);
	if (connected > 0 && tls_trouble(q))
		note_tls(q);
	else if (connected > 0)
		ask_all(q);
	for (int i = 0; i < q->count; i++)
		probe_done(&q->probes[i]);
}
