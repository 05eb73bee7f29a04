/*
 * facts.h - how a server is set up, as far as it tells: read from the answers to HELLO, INFO and
 * CONFIG GET, and what that means for sessions.  Pure; fuzzed.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/finding.h"

enum {
	FACT_SIZE = 48,
};

/* Numbers are negative, and texts empty, where the server does not say. */
struct facts {
	char server[FACT_SIZE];  /* "redis", "valkey" */
	char version[FACT_SIZE]; /* "7.0.15" */
	char mode[FACT_SIZE];    /* "standalone", "cluster", "sentinel" */
	char role[FACT_SIZE];    /* "master", "replica", "slave" */
	char run_id[FACT_SIZE];
	char policy[FACT_SIZE]; /* "noeviction" */
	int64_t maxmemory;      /* bytes; 0: no limit */
	int64_t used_memory;
	int64_t evicted;
	int64_t append_only; /* 1: on */
	int64_t snapshots;   /* 1: there are save points */
	int64_t save_failed; /* 1: the last snapshot or append failed */
	int64_t clients_max;
	int64_t clients;
};

/* Nothing is known. */
void facts_init(struct facts *facts);

/* Take what HELLO answers, an array of names and values. */
void facts_read_hello(struct facts *facts, const redisReply *reply);

/* Take what INFO answers, lines of "name:value". */
void facts_read_info(struct facts *facts, const redisReply *reply);

/* Take what CONFIG GET save answers. */
void facts_read_save(struct facts *facts, const redisReply *reply);

/*
 * Note what @facts of @subject mean: role, eviction, persistence, memory, and clients where
 * @workers may want a connection each.
 */
void facts_note(const struct facts *facts, const char *subject, uint64_t workers,
                struct findings *findings);

/* The same without role and clients, for any node of a cluster. */
void facts_note_setup(const struct facts *facts, const char *subject, struct findings *findings);

/* True when the server is a node of a cluster. */
bool facts_is_cluster(const struct facts *facts);
