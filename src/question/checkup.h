/* checkup.h - the questions of `twinit check`: facts about the host, a release, PHP and pools. */
#pragma once

#include "config/config.h"
#include "doctor/facts.h"
#include "question/drain.h"

/* Look at what every process may look at.  Takes 0.1 s at most; opens a port on the loopback. */
void checkup_host(struct host_facts *host);

struct checkup_release_query {
	const struct app_config *app;
};

/* A question's run: takes a struct checkup_release_query, answers once: struct release_facts. */
void checkup_release_run(const void *query, int answer_fd);

struct checkup_php_query {
	const struct app_config *app;
	const char *secrets; /* see secrets_load() */
	int sources;         /* an empty memfd for an array of struct session_source */
};

/* A question's run: takes a struct checkup_php_query, answers once: struct php_facts. */
void checkup_php_run(const void *query, int answer_fd);

struct checkup_traffic_query {
	int private_fd;
	const char *below; /* see fpm_scripts_add() */
	unsigned socket_count;
	struct drain_socket sockets[DRAIN_SOCKETS_MAX];
};

/*
 * A question's run: takes a struct checkup_traffic_query, answers once: struct traffic_facts.  A
 * worker counts as kept that has not got its request's head in all of some looks.
 */
void checkup_traffic_run(const void *query, int answer_fd);
