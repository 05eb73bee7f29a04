#include "session/facts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "session/slice.h"
#include "util/text.h"

enum {
	MEMORY_TIGHT_PERCENT = 90,
	NUMBER_DIGITS = 18,
};

#define MIB (1024 * 1024)

void facts_init(struct facts *facts)
{
	*facts = (struct facts){
		.maxmemory = -1,
		.used_memory = -1,
		.evicted = -1,
		.append_only = -1,
		.snapshots = -1,
		.save_failed = -1,
		.clients_max = -1,
		.clients = -1,
	};
}

/* --- reading --- */

/* Plain words only: they are shown. */
static void take_text(struct slice value, char to[FACT_SIZE])
{
	if (!value.start || value.length >= FACT_SIZE || !slice_consists_of(value, "-._"))
		return;
	memcpy(to, value.start, value.length);
	to[value.length] = '\0';
}

static void take_number(struct slice value, int64_t *to)
{
	char digits[NUMBER_DIGITS + 1];

	if (value.length > NUMBER_DIGITS || !slice_is_number(value))
		return;
	memcpy(digits, value.start, value.length);
	digits[value.length] = '\0';
	*to = (int64_t)strtoll(digits, NULL, 10);
}

/* "ok" or "err" */
static void take_status(struct slice value, int64_t *failed)
{
	if (*failed != 1)
		*failed = slice_is(value, "err");
}

static void take_info(struct facts *facts, struct slice name, struct slice value)
{
	const struct {
		const char *name;
		char *text;
		int64_t *number, *status;
	} fields[] = {
		{ "redis_version", .text = facts->version },
		{ "redis_mode", .text = facts->mode },
		{ "server_name", .text = facts->server },
		{ "role", .text = facts->role },
		{ "run_id", .text = facts->run_id },
		{ "maxmemory_policy", .text = facts->policy },
		{ "maxmemory", .number = &facts->maxmemory },
		{ "used_memory", .number = &facts->used_memory },
		{ "evicted_keys", .number = &facts->evicted },
		{ "aof_enabled", .number = &facts->append_only },
		{ "maxclients", .number = &facts->clients_max },
		{ "connected_clients", .number = &facts->clients },
		{ "rdb_last_bgsave_status", .status = &facts->save_failed },
		{ "aof_last_write_status", .status = &facts->save_failed },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!slice_is(name, fields[i].name))
			continue;
		if (fields[i].text)
			take_text(value, fields[i].text);
		else if (fields[i].number)
			take_number(value, fields[i].number);
		else if (fields[i].status)
			take_status(value, fields[i].status);
	}
}

void facts_read_info(struct facts *facts, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_STRING)
		return;
	const char *at = reply->str, *end = at + reply->len;

	while (at < end) {
		const char *stop = slice_find(at, end, "\r\n");
		const char *colon = slice_find(at, stop, ":");

		if (colon < stop)
			take_info(facts, slice_between(at, colon), slice_between(colon + 1, stop));
		at = stop + 1;
	}
}

static struct slice element(const redisReply *array, size_t i)
{
	const redisReply *reply = array->element[i];

	if (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS)
		return (struct slice){ 0 };
	return (struct slice){ reply->str, (size_t)reply->len };
}

void facts_read_hello(struct facts *facts, const redisReply *reply)
{
	const struct {
		const char *name;
		char *to;
	} fields[] = {
		{ "server", facts->server },
		{ "version", facts->version },
		{ "mode", facts->mode },
		{ "role", facts->role },
	};

	if (reply->type != REDIS_REPLY_ARRAY)
		return;
	for (size_t i = 0; i + 1 < (size_t)reply->elements; i += 2)
		for (size_t f = 0; f < ARRAY_SIZE(fields); f++)
			if (slice_is(element(reply, i), fields[f].name))
				take_text(element(reply, i + 1), fields[f].to);
}

void facts_read_save(struct facts *facts, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    !slice_is(element(reply, 0), "save") || !element(reply, 1).start)
		return;
	facts->snapshots = element(reply, 1).length > 0;
}

bool facts_is_cluster(const struct facts *facts)
{
	return strcmp(facts->mode, "cluster") == 0;
}

/* --- what it means --- */

/* Where the notes go. */
struct notes {
	const struct facts *facts;
	const char *subject;
	struct findings *findings;
};

#define NOTE(notes, id, result, fix, ...)                                                          \
	findings_note((notes)->findings, id, result, (notes)->subject, fix, __VA_ARGS__)

/* INFO is closed to most users of a managed Redis. */
#define ALLOW_INFO "allow +info to have it checked"

static void note_role(const struct notes *n)
{
	const struct facts *f = n->facts;

	if (strcmp(f->mode, "sentinel") == 0)
		NOTE(n, FINDING_ROLE, FINDING_FAILED, "name the primary in session.save_path",
		     "is a Sentinel, which keeps no sessions and which PHP's handler cannot ask");
	else if (strcmp(f->role, "master") == 0)
		NOTE(n, FINDING_ROLE, FINDING_OK, NULL, "is a primary, %s %s",
		     f->server[0] ? f->server : "redis", f->version);
	else if (f->role[0])
		NOTE(n, FINDING_ROLE, FINDING_FAILED, "name the primary in session.save_path",
		     "is a replica (%s): what is written there is gone with the next "
		     "synchronisation",
		     f->role);
	else
		NOTE(n, FINDING_ROLE, FINDING_UNKNOWN, ALLOW_INFO,
		     "does not say whether it is a primary");
}

/* Every policy but noeviction drops sessions: they have an expiry, so volatile-* does too. */
static void note_eviction(const struct notes *n)
{
	const struct facts *f = n->facts;

	if (!f->policy[0])
		NOTE(n, FINDING_EVICTION, FINDING_UNKNOWN, ALLOW_INFO,
		     "does not say whether it evicts keys");
	else if (strcmp(f->policy, "noeviction") == 0)
		NOTE(n, FINDING_EVICTION, FINDING_OK, NULL, "evicts no keys (noeviction)");
	else if (f->maxmemory == 0)
		NOTE(n, FINDING_EVICTION, FINDING_OK, NULL,
		     "evicts no keys (%s, but without maxmemory)", f->policy);
	else
		NOTE(n, FINDING_EVICTION, FINDING_WARNING, "set maxmemory-policy noeviction",
		     "drops sessions when its memory is full (%s)%s", f->policy,
		     f->evicted > 0 ? ", and has dropped keys already" : "");
}

static void note_persistence(const struct notes *n)
{
	const struct facts *f = n->facts;

	if (f->append_only < 0)
		NOTE(n, FINDING_PERSISTENCE, FINDING_UNKNOWN, ALLOW_INFO,
		     "does not say whether it keeps its data over a restart");
	else if (f->save_failed == 1)
		NOTE(n, FINDING_PERSISTENCE, FINDING_WARNING,
		     "see its log: disk full, or a directory that it may not write",
		     "could not save its data the last time");
	else if (f->append_only > 0)
		NOTE(n, FINDING_PERSISTENCE, FINDING_OK, NULL,
		     "keeps its data over a restart (append-only file)");
	else if (f->snapshots > 0)
		NOTE(n, FINDING_PERSISTENCE, FINDING_OK, NULL,
		     "keeps its data over a restart (snapshots: the last minutes are lost)");
	else if (f->snapshots == 0)
		NOTE(n, FINDING_PERSISTENCE, FINDING_WARNING, "set appendonly yes",
		     "keeps nothing on disk: sessions are lost when it restarts");
	else
		NOTE(n, FINDING_PERSISTENCE, FINDING_UNKNOWN,
		     "allow +config|get to have it checked",
		     "has no append-only file, and does not say whether it makes snapshots");
}

static void note_memory(const struct notes *n)
{
	const struct facts *f = n->facts;
	bool evicts = f->policy[0] && strcmp(f->policy, "noeviction") != 0;

	if (f->maxmemory < 0 || f->used_memory < 0) {
		NOTE(n, FINDING_MEMORY, FINDING_UNKNOWN, ALLOW_INFO,
		     "does not say how much memory it has");
		return;
	}
	if (f->maxmemory == 0) {
		NOTE(n, FINDING_MEMORY, FINDING_OK, NULL, "uses %" PRId64 " MiB, without a limit",
		     f->used_memory / MIB);
		return;
	}
	/* The same words as long as it lasts: they are logged when they change. */
	if (f->used_memory / MEMORY_TIGHT_PERCENT >= f->maxmemory / 100)
		NOTE(n, FINDING_MEMORY, FINDING_WARNING, "raise maxmemory in Redis",
		     "uses more than %d %% of its %" PRId64 " MiB: soon it %s",
		     MEMORY_TIGHT_PERCENT, f->maxmemory / MIB,
		     evicts ? "drops sessions" : "takes no writes");
	else
		NOTE(n, FINDING_MEMORY, FINDING_OK, NULL, "uses %" PRId64 " of %" PRId64 " MiB",
		     f->used_memory / MIB, f->maxmemory / MIB);
}

static void note_clients(const struct notes *n, uint64_t workers)
{
	const struct facts *f = n->facts;

	if (f->clients_max < 0)
		NOTE(n, FINDING_CLIENTS, FINDING_UNKNOWN, ALLOW_INFO,
		     "does not say how many connections it takes");
	else if (workers > (uint64_t)f->clients_max)
		NOTE(n, FINDING_CLIENTS, FINDING_WARNING, "raise maxclients in Redis",
		     "takes %" PRId64 " connections, but %" PRIu64
		     " workers of the tasks that are known may want one",
		     f->clients_max, workers);
	else
		NOTE(n, FINDING_CLIENTS, FINDING_OK, NULL,
		     "takes %" PRId64 " connections, %" PRIu64 " workers may want one",
		     f->clients_max, workers);
}

void facts_note_setup(const struct facts *facts, const char *subject, struct findings *findings)
{
	const struct notes notes = { facts, subject, findings };

	note_eviction(&notes);
	note_persistence(&notes);
	note_memory(&notes);
}

void facts_note(const struct facts *facts, const char *subject, uint64_t workers,
                struct findings *findings)
{
	const struct notes notes = { facts, subject, findings };

	note_role(&notes);
	facts_note_setup(facts, subject, findings);
	note_clients(&notes, workers);
}
