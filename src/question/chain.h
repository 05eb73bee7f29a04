/*
 * chain.h - is a session that one replica writes there for another one?  Asked of PHP itself, by
 * its own session handler, through the replicas' private sockets.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "fpm/settings.h"
#include "question/ping.h"

struct chain_replica {
	unsigned number;
	char probes[POOLS_MAX]
		   [PRIVATE_NAME_SIZE]; /* of each asked pool; empty: it has no such pool */
};

struct chain_query {
	int private_fd;     /* the private directory */
	int sources_fd;     /* a memfd with an array of struct session_source, one a pool */
	const char *script; /* path of session/script.h's text, as PHP sees it */
	unsigned pool_count;
	bool chrooted[POOLS_MAX]; /* pools that cannot see the script */
	struct chain_replica writer;
	unsigned reader_count; /* at least 1; the writer itself where there is no other */
	struct chain_replica readers[REPLICAS_MAX];
	uint32_t timeout_ms; /* for all of it */
};

enum chain_state {
	CHAIN_NOT_ASKED, /* no pool keeps sessions in Redis where we can ask */
	CHAIN_OK,
	CHAIN_FAILED,
};

struct chain_answer {
	enum chain_state state;
	uint32_t pools;    /* that were asked */
	uint32_t took_us;  /* the slowest of them: one write, and a read through each reader */
	char why[512];     /* failed: which pool and replica, and what PHP says; never a password */
	char warning[256]; /* a pool that could not be asked, and why; empty: none */
};

/* A question's run: takes a struct chain_query, answers once with a struct chain_answer. */
void chain_run(const void *query, int answer_fd);
