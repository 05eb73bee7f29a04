/*
 * store.h - can the Redis that the pools keep their sessions in be used, and by whom is it used?
 *
 * Runs in a helper, never in PID 1: it resolves names, connects and waits.  The only folder that
 * links hiredis, and of that only the formatter and the reader: bytes go through our own socket,
 * so that deadlines hold for whole conversations and no answer can grow without bound.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "session/finding.h"
#include "session/member.h"
#include "session/savepath.h"
#include "util/macros.h"

enum {
	SESSION_SOURCES_MAX = 16,
	SESSION_HANDLER_SIZE = 32,
	SESSION_SAVE_PATH_SIZE = 2048,
	SESSION_REASON_SIZE = 512,
};

/* What one pool's PHP is told about sessions.  Holds the password: lives in a memfd, not in PID 1.
 */
struct session_source {
	char pool[64];
	char handler[SESSION_HANDLER_SIZE]; /* "files", "redis", "rediscluster", ... */
	char save_path[SESSION_SAVE_PATH_SIZE];
	uint32_t gc_maxlifetime_s;
	uint32_t workers;  /* of all replicas */
	uint32_t phpredis; /* its major version; 0: not known */
	bool lazy_write;
	bool strict_mode;
	bool early_refresh; /* redis.session.early_refresh, of phpredis 6 */
	bool locking;
	int32_t lock_wait_us;    /* between two tries */
	int32_t lock_retries;    /* negative: for ever */
	int32_t lock_expire_s;   /* 0: max_execution_time */
	int32_t max_execution_s; /* 0: none */
};

/* Which task asks; it keeps a member key in each store. */
struct membership {
	bool join;
	char id[MEMBER_ID_SIZE];
	char service[MEMBER_SERVICE_SIZE]; /* its DNS name without "tasks."; empty: not known */
	uint64_t age_s;                    /* since its start */
	uint32_t every_s;                  /* how often it asks */
};

struct store_query {
	const struct session_source *sources;
	unsigned count;
	uint32_t timeout_ms; /* for a conversation with one address */
	uint32_t total_ms;   /* for everything but name servers */
	struct membership membership;
	bool release; /* workers were killed: delete the session locks that they left */
};

enum store_state {
	STORE_NOT_ASKED, /* no pool keeps sessions in Redis */
	STORE_OK,        /* every store that was asked can be used */
	STORE_FAILED,    /* one cannot: reason says which and why */
	STORE_STATE_COUNT,
};

/* The short answer. */
struct store_report {
	enum store_state state;
	bool uses_redis;                   /* a pool's handler is redis or rediscluster */
	uint32_t stores;                   /* different stores that were asked */
	uint32_t members;                  /* tasks that keep a member key there, we included */
	uint32_t released;                 /* session locks of killed workers that were deleted */
	uint32_t latency_us;               /* the slowest conversation with an address */
	char where[STORE_WHERE_SIZE];      /* "redis:6379" of the store at fault, or of the first */
	char reason[SESSION_REASON_SIZE];  /* the first failed finding as a sentence; empty: none */
	char warning[SESSION_REASON_SIZE]; /* the first warning, likewise */
};

/*
 * Ask every different store of @query->sources what session/step.h lists, on each address that its
 * name resolves to, look at how the server is set up, and keep a member key there.
 *
 * A store without connection on one of several addresses is not failed: PHP goes on to the next one
 * too, so that is a warning; an address that connects and then refuses sessions is a failure.  What
 * an ACL forbids that PHP does not need is unknown.  A TLS store is only connected to.
 *
 * Blocks for at most @query->total_ms; a name server that is silent takes as long again as
 * @query->timeout_ms, but at least 2 s.  May allocate.
 * For a short-lived process: sets RES_OPTIONS and fixes the name service to files and dns.
 *
 * Fills *@findings and *@report, whatever was in them.
 */
void store_ask(const struct store_query *query, struct findings *findings,
               struct store_report *report);

/*
 * Delete our member key from every store of @query->sources.  Blocks for at most @query->total_ms,
 * and for name servers.
 */
void store_leave(const struct store_query *query);
