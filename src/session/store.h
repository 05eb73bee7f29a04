/*
 * store.h - is the Redis that the pools keep their sessions in reachable and writable?
 *
 * Runs in a helper, never in PID 1: it resolves names, connects and waits.  The only code here that
 * links hiredis, and of that only the formatter and the reader: bytes go through our own socket,
 * so that one deadline holds for the whole question and no answer can grow without bound.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"

enum {
	SESSION_SOURCES_MAX = 16,
	SESSION_HANDLER_SIZE = 32,
	SESSION_SAVE_PATH_SIZE = 2048,
	SESSION_REASON_SIZE = 512,
	STORE_WHERE_SIZE = 320,
};

/* What one pool's PHP is told about sessions.  Holds the password: lives in a memfd, not in PID 1.
 */
struct session_source {
	char pool[64];
	char handler[SESSION_HANDLER_SIZE]; /* "files", "redis", "rediscluster", ... */
	char save_path[SESSION_SAVE_PATH_SIZE];
	uint32_t gc_maxlifetime_s;
	bool locking;
};

enum store_state {
	STORE_NOT_ASKED, /* no pool keeps sessions in Redis, or only where we cannot ask */
	STORE_OK,        /* every store that was asked can be used */
	STORE_FAILED,    /* one cannot: reason says which and why */
};

/* One line of the answer: about one store of one or more pools. */
struct store_report {
	enum store_state state;
	bool uses_redis;                   /* a pool's handler is redis or rediscluster */
	uint32_t stores;                   /* different stores that were asked */
	uint32_t latency_us;               /* the slowest whole question, connect to delete */
	char where[STORE_WHERE_SIZE];      /* "redis:6379" of the store at fault, or of the first */
	char reason[SESSION_REASON_SIZE];  /* failed: host, port, cause and fix; never a password */
	char warning[SESSION_REASON_SIZE]; /* the first doubt or trap; empty: none */
};

/*
 * Ask every different store of @sources: resolve, connect, AUTH, SELECT, PING, then SETEX, GET and
 * DEL of a key below the session prefix, on each address that the name resolves to.  A store
 * without connection on one of several addresses is not failed: PHP goes on to the next one too,
 * so that is a warning; an address that connects and then refuses sessions is a failure.  A TLS
 * store is only connected to, rediscluster is not asked: both are said in report->warning.
 *
 * Blocks for at most about @timeout_ms per address.  A name server that is silent takes as long
 * again, but at least 2 s.  May allocate.
 * For a short-lived process: sets RES_OPTIONS and fixes the name service to files and dns.
 *
 * Always fills *@report.
 */
void store_ask(const struct session_source *sources, unsigned count, uint32_t timeout_ms,
               struct store_report *report);
