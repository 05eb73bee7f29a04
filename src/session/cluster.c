#include "session/cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/inspect.h"
#include "session/login.h"
#include "session/probe.h"
#include "session/slice.h"
#include "session/where.h"
#include "util/cleanup.h"
#include "util/text.h"

enum {
	SLOTS = 16384,
};

/* One seed while it is asked. */
struct seed {
	struct asking *asking;
	const struct planned_cluster *cluster;
	const struct store_address *store;
	int count;
	struct target targets[TARGETS_MAX];
	struct subject subject;
	struct probe probe;
};

static void take_number(struct slice value, long *to)
{
	char digits[8] = "";

	if (value.length >= sizeof(digits) || !slice_is_number(value))
		return;
	memcpy(digits, value.start, value.length);
	*to = strtol(digits, NULL, 10);
}

void cluster_read(const char *info, size_t length, struct cluster_state *state)
{
	const char *at = info, *end = info + length;

	*state = (struct cluster_state){ .slots = -1, .primaries = -1 };
	while (at < end) {
		const char *stop = slice_find(at, end, "\r\n");
		const char *colon = slice_find(at, stop, ":");
		struct slice name = slice_between(at, colon);
		struct slice value = slice_between(colon < stop ? colon + 1 : stop, stop);

		if (slice_is(name, "cluster_state")) {
			state->known = true;
			state->ok = slice_is(value, "ok");
		} else if (slice_is(name, "cluster_slots_ok")) {
			take_number(value, &state->slots);
		} else if (slice_is(name, "cluster_size")) {
			take_number(value, &state->primaries);
		}
		at = stop + 1;
	}
}

static void note_state(const struct seed *seed, const struct cluster_state *state)
{
	struct findings *findings = seed->asking->findings;
	const char *subject = seed->subject.name;

	if (!state->known)
		findings_note(findings, FINDING_CLUSTER, FINDING_UNKNOWN, subject,
		              "allow +cluster|info to have it checked",
		              "does not tell the state of its cluster");
	else if (!state->ok)
		findings_note(findings, FINDING_CLUSTER, FINDING_FAILED, subject,
		              "see CLUSTER INFO",
		              "is of a cluster that is down, with %ld of %d slots served",
		              state->slots, SLOTS);
	else if (state->slots != SLOTS)
		findings_note(findings, FINDING_CLUSTER, FINDING_FAILED, subject,
		              "see CLUSTER INFO and CLUSTER SLOTS",
		              "is of a cluster that serves %ld of %d slots: the sessions of the "
		              "others fail",
		              state->slots, SLOTS);
	else
		findings_note(findings, FINDING_CLUSTER, FINDING_OK, subject, NULL,
		              "is of a cluster of %ld primaries that serve all slots",
		              state->primaries);
}

static void ask_state(struct seed *seed, struct resp *resp)
{
	const char *words[] = { "CLUSTER", "INFO" };
	struct cluster_state state = { 0 };
	redisReply *reply = NULL;

	if (login_ask(resp, 2, words, &reply) == 0) {
		if (reply->type == REDIS_REPLY_STRING)
			cluster_read(reply->str, (size_t)reply->len, &state);
		freeReplyObject(reply);
	}
	note_state(seed, &state);
}

/* PHP begins with it. */
static bool answers_slots(struct seed *seed, struct resp *resp)
{
	const char *words[] = { "CLUSTER", "SLOTS" };
	struct findings *findings = seed->asking->findings;
	redisReply *reply = NULL;
	bool good;

	if (resp_ask(resp, 2, words, &reply) < 0) {
		findings_note(findings, FINDING_ANSWER, FINDING_FAILED, seed->subject.name, NULL,
		              "does not answer CLUSTER SLOTS");
		return false;
	}
	good = reply->type == REDIS_REPLY_ARRAY;
	if (!good && reply->type == REDIS_REPLY_ERROR && text_begins(reply->str, "NOPERM"))
		findings_note(findings, FINDING_ACL, FINDING_FAILED, seed->subject.name,
		              "allow +cluster|slots", "forbids its user CLUSTER SLOTS");
	else if (!good)
		findings_note(findings, FINDING_CLUSTER, FINDING_FAILED, seed->subject.name,
		              "set session.save_handler = redis", "is no cluster");
	freeReplyObject(reply);
	return good;
}

static void note_setup(struct seed *seed)
{
	struct inspection inspection = { .store = seed->store, .target = seed->probe.target };

	inspect(&inspection, asking_deadline(seed->asking), true);
	/* Any node may be a seed, replicas too. */
	facts_note_setup(&inspection.facts, seed->subject.name, seed->asking->findings);
}

/* Use the cluster through this node.  True when it is one. */
static bool use(struct seed *seed)
{
	struct probe *probe = &seed->probe;

	probe_login(probe);
	if (probe->error < 0 || !answers_slots(seed, &probe->link.resp))
		return probe->error == 0;
	ask_state(seed, &probe->link.resp);
	probe_use(probe);
	if (probe->written && probe->error == 0)
		(void)inquiry_members(seed->asking, &probe->link.carrier, seed->store->prefix,
		                      seed->subject.name);
	if (probe->error == 0)
		probe_finish(probe, asking_deadline(seed->asking));
	if (probe->error == 0)
		inquiry_latency(seed->asking, probe->took_us);
	note_setup(seed);
	return true;
}

/* Connect to one address of the seed.  0 or a negative errno. */
static int try_target(struct seed *seed, int i)
{
	probe_init(&seed->probe, seed->store, &seed->cluster->needs, &seed->targets[i], true,
	           seed->asking->query->timeout_ms, seed->asking->findings);
	seed->subject = seed->probe.subject;
	int r = probe_connect(&seed->probe, asking_deadline(seed->asking));
	if (r < 0)
		probe_done(&seed->probe);
	return r;
}

/*
 * Connect to the seed.  What is wrong is a warning where PHP @goes_on to another seed.  0 or a
 * negative errno; after a 0 the probe has to be done with.
 */
static int open_seed(struct seed *seed, bool goes_on)
{
	struct findings *findings = seed->asking->findings;
	int r = -EHOSTUNREACH;

	seed->count =
		asking_resolve(seed->asking, seed->store, seed->targets, goes_on ? NULL : findings);
	if (seed->count < 0 && goes_on)
		findings_note(findings, FINDING_RESOLVE, FINDING_WARNING, seed->store->host, NULL,
		              "cannot be resolved (PHP goes on to the next seed)");
	for (int i = 0; r < 0 && i < seed->count; i++)
		r = try_target(seed, i);
	if (seed->count > 0 && r < 0)
		complaint_connect(&seed->subject, r, goes_on);
	return r;
}

static bool ask_seed(struct seed *seed)
{
	const char *why = seed->probe.link.resp.tls_why;

	if (!why)
		return use(seed);
	findings_note(seed->asking->findings, FINDING_TLS, FINDING_NOT_ASKED, seed->subject.name,
	              NULL, "takes connections, and is not asked itself: %s", why);
	return true;
}

void cluster_run(struct asking *asking, const struct planned_cluster *cluster)
{
	_cleanup_free_ struct seed *seed = calloc(1, sizeof(*seed));
	bool found = false;

	asking->report->stores++;
	for (size_t i = 0; seed && i < cluster->seeds.count; i++) {
		bool last = i + 1 == cluster->seeds.count;

		*seed = (struct seed){
			.asking = asking,
			.cluster = cluster,
			.store = &cluster->seeds.stores[i],
		};
		if (open_seed(seed, found || !last) < 0)
			continue;
		/* The others only have to be there: each would tell the same. */
		if (!found)
			found = ask_seed(seed);
		probe_done(&seed->probe);
	}
}
