/*
 * trial.h - what a new master has to show before visitors come: each pool of it answers on its
 * private socket, the health script answers 2xx, and the pages to warm up have been run.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "fpm/settings.h"
#include "question/fcgi_client.h"

enum { SITE_ROOT_SIZE = 2 * CONFIG_PATH_SIZE };

struct trial_query {
	int private_fd; /* the private directory */
	unsigned count;
	char probes[POOLS_MAX][PRIVATE_NAME_SIZE]; /* each pool's probe socket */
	uint32_t timeout_ms;                       /* for all of it */
	bool patient; /* health is asked again until then: what it needs may come later */

	/* Run in the first pool; see page.h for what a page is. */
	char pages[PRIVATE_NAME_SIZE]; /* its socket for them */
	char root[SITE_ROOT_SIZE];
	char health[CONFIG_PATH_SIZE]; /* empty: none */
	char warm[CONFIG_LIST_SIZE];   /* separated by blanks */
};

struct trial_answer {
	bool ready;
	int health;      /* HTTP status of the health script; 0: none was asked for */
	unsigned warmed; /* pages that answered 2xx or 3xx, of @to_warm */
	unsigned to_warm;
	uint64_t warm_set;  /* which they were: bit i for the i-th, of the first 64 */
	char why[256];      /* one sentence when it is not ready */
	char warm_why[256]; /* what was wrong with the first page that did not warm up; or empty */
};

/* A question's run: takes a struct trial_query, answers once with a struct trial_answer. */
void trial_run(const void *query, int answer_fd);
