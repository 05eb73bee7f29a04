/*
 * vigil.h - does a release that is live stay healthy?  Asks every replica's health script again and
 * again, and answers once, when one of them does not do.
 */
#pragma once

#include <stdint.h>

#include "config/config.h"
#include "question/fcgi_client.h"
#include "question/trial.h"

struct vigil_query {
	int private_fd; /* the private directory */
	unsigned count;
	unsigned numbers[REPLICAS_MAX];                /* replicas */
	char sockets[REPLICAS_MAX][PRIVATE_NAME_SIZE]; /* theirs for pages */
	char root[SITE_ROOT_SIZE];
	char health[CONFIG_PATH_SIZE];
	uint32_t every_ms;
	uint32_t patience_ms; /* with each answer */
};

struct vigil_answer {
	char why[256]; /* one sentence: which replica, and what is wrong with it */
};

/* A question's run: takes a struct vigil_query; somebody else ends it when all goes well. */
void vigil_run(const void *query, int answer_fd);
