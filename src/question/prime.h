/*
 * prime.h - run the pages of `warm`, three times, in the workers themselves that visitors will
 * meet.
 *
 * OPcache is full by then, but a worker's first request still pays for thousands of page faults and
 * an empty cache of paths.  Each connection has been accepted by a worker of its own, which waits
 * for a request on it, so that none is left out.
 */
#pragma once

#include <stdint.h>

#include "config/config.h"
#include "question/trial.h"

enum { PRIME_MAX = 48 };

struct prime_query {
	unsigned count;
	int fds[PRIME_MAX]; /* connections to the lane of the new masters */
	char root[SITE_ROOT_SIZE];
	char warm[CONFIG_LIST_SIZE];
	uint64_t warm_set; /* which of them: those that did well before, see trial.h */
	uint32_t timeout_ms;
};

struct prime_answer {
	unsigned primed; /* connections on which every page was answered */
};

/* A question's run: takes a struct prime_query, answers once with a struct prime_answer. */
void prime_run(const void *query, int answer_fd);
