/*
 * resp.h - Redis' protocol over a socket of our own: one deadline holds for the whole conversation,
 * and no answer can grow without bound.  Of hiredis only the formatter and the reader.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "session/tls.h"
#include "util/macros.h"

/*
 * A conversation.  Starts as resp_init() made it; the owner calls resp_done().  Not to be moved
 * once something was asked.
 */
struct resp {
	int fd;
	redisReader *reader;
	uint64_t deadline_us; /* of util/clock.h */
	size_t received;      /* bytes of all answers */
	size_t elements;      /* of all arrays among them */
	char first;           /* byte of the last answer; 0: none came */
	struct tls *tls;      /* NULL: plain */
	const char
		*tls_why; /* why TLS did not come about, and nothing can be asked; NULL: it did */
};

/* A conversation that is to end at @deadline_us, without a connection yet. */
struct resp resp_init(uint64_t deadline_us);

/* Close and free what there is; may be called twice. */
void resp_done(struct resp *resp);

/*
 * Connect to @address; with @tls_host, unless that is NULL, by TLS where the program has it.
 * Blocks until the deadline at most.
 *
 * Returns 0, -ETIMEDOUT, or another negative errno of socket() or connect().  A handshake that
 * fails is no failure, because PHP may trust others than we do: then resp->tls_why is set.
 */
MUST_CHECK int resp_connect(struct resp *resp, const struct sockaddr *address, socklen_t length,
                            const char *tls_host);

/*
 * Send the @count @words as one command and wait for its answer.  Blocks until the deadline at
 * most.
 *
 * Returns 0 and an answer in *@reply that the caller frees with freeReplyObject().  Or
 * -ETIMEDOUT; -ENODATA when the connection was closed; -EBADMSG when what came is not Redis'
 * protocol, and resp->first may tell whose it is; -EOVERFLOW when the answers are longer than ours
 * can be; or another negative errno.
 */
MUST_CHECK int resp_ask(struct resp *resp, int count, const char **words, redisReply **reply);

/* True when more came than the answers that were taken. */
bool resp_has_more(const struct resp *resp);
