/*
 * drain.h - have the masters of an abandoned lane finished what they had?
 *
 * Finished means: no connection waits on the lane, and every worker of every master is Idle in
 * FPM's scoreboard (the full page: its summary counters drift with kept connections), twice, at
 * least DRAIN_APART_MS apart.  The first look alone is not enough: a connection may be between the
 * queue and the scoreboard.
 */
#pragma once

#include <stdbool.h>

#include "fpm/settings.h"
#include "fpm/status.h"
#include "question/fcgi_client.h"

enum {
	DRAIN_SOCKETS_MAX = 96,
	DRAIN_APART_MS = 10,
	DRAIN_ASK_MS = 1000, /* how long one status page may take */
};

struct drain_socket {
	char name[PRIVATE_NAME_SIZE]; /* a pool's status socket in the private directory */
	char path[SCRIPT_SIZE];       /* the script name it answers to */
	bool rescue;                  /* of a rescue master */
};

struct drain_query {
	int private_fd;
	unsigned socket_count;
	struct drain_socket sockets[DRAIN_SOCKETS_MAX];
	uint32_t stuck_ms; /* how long a connection may wait on the lane before it is said */
	unsigned listener_count;
	int listeners[POOLS_MAX]; /* the lane's listening sockets, one for each address */
};

struct drain_answer {
	bool idle;            /* drained: the last answer */
	bool queued;          /* a connection waits on the lane */
	bool stuck;           /* one has waited there for stuck_ms: nobody takes it */
	unsigned busy;        /* workers that are not idle */
	unsigned busy_rescue; /* those of rescue masters among them */
	int busy_pid;         /* one of them, of no rescue master if there is one, as FPM sees it */
	enum worker_state busy_state;
};

/*
 * A question's run: takes a struct drain_query, answers with a struct drain_answer whenever the
 * number of busy workers changes, when nothing is left at a first look, when the lane becomes
 * stuck, and last with one that is idle.  Has no deadline of its own.
 */
void drain_run(const void *query, int answer_fd);
