/* ping.h - does a new master answer on its private sockets, every pool of it? */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fpm/settings.h"

enum { PRIVATE_NAME_SIZE = 64 };

struct ping_query {
	int private_fd; /* the private directory */
	unsigned count;
	char probes[POOLS_MAX][PRIVATE_NAME_SIZE]; /* each pool's probe socket */
	uint32_t timeout_ms;
};

struct ping_answer {
	bool ready;
	char why[256]; /* one sentence when it is not */
};

/* A question's run: takes a struct ping_query, answers once with a struct ping_answer. */
void ping_run(const void *query, int answer_fd);
