/*
 * follow.h - a conversation that goes on at another node when a cluster says so (MOVED, ASK).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "session/members.h"
#include "session/resp.h"
#include "session/savepath.h"
#include "util/macros.h"

/* Starts as follow_init() made it, in the place where it stays; the owner calls follow_done(). */
struct follow {
	struct carrier carrier; /* asks like login_ask() */
	struct resp resp;       /* with the node at hand */
	const struct store_address *store;
	bool enabled; /* false: MOVED is an error like any other */
};

/* Where "MOVED 3999 10.0.0.1:6381" points to. */
struct redirection {
	bool ask; /* ASK: for this one question only */
	char host[STORE_HOST_SIZE];
	uint16_t port;
};

/* @store, which is borrowed, has what other nodes are logged in with. */
void follow_init(struct follow *follow, const struct store_address *store, bool enabled);
void follow_done(struct follow *follow);

/* As resp_ask(), of any node.  Blocks until the deadline of follow->resp at most. */
MUST_CHECK int follow_ask(struct follow *follow, int count, const char **words, redisReply **reply);

/* Take the error answer @words apart.  Pure.  False when it is no redirection. */
MUST_CHECK bool follow_parse(const char *words, struct redirection *to);
