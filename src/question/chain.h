/*
 * chain.h - is a session that one replica writes there for another one?  Asked of PHP itself, by
 * its own session handler, through the replicas' private sockets.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "fpm/settings.h"
#include "question/fcgi_client.h"

struct chain_replica {
	unsigned number;
	/* of each asked pool; empty: it has no such pool */
	char probes[POOLS_MAX][PRIVATE_NAME_SIZE];
};

struct chain_query {
	int private_fd;     /* the private directory */
	int sources_fd;     /* a memfd with an array of struct session_source, one a pool */
	int old_sources_fd; /* the same of the writer's release, if that is another; or FD_NONE */
	int findings_fd;    /* to which what is found is added; FD_NONE: to nothing */
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
	/* Failed, or why a pool could not be asked; never a password; empty: nothing. */
	char why[512];
};

/*
 * A question's run: takes a struct chain_query, answers once with a struct chain_answer and with a
 * memfd of findings beside it, or without it when there was no memory.
 */
void chain_run(const void *query, int answer_fd);
