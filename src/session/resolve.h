/* resolve.h - the addresses behind a store's name. */
#pragma once

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "session/finding.h"
#include "session/savepath.h"
#include "util/macros.h"

enum {
	TARGETS_MAX = 16,
};

/* One address of one store, as text and for connect(). */
struct target {
	char text[INET6_ADDRSTRLEN + sizeof("%4294967295")]; /* empty for a unix socket */
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
		struct sockaddr_un local;
	} at;
};

/*
 * Prepare this process for resolving: names by the libc that is linked in, and a silent name server
 * is given up after about twice @timeout_ms, but at least 2 s.
 *
 * Sets RES_OPTIONS, unless it is set, and fixes the name service to files and dns.
 */
void resolve_prepare(uint32_t timeout_ms);

/*
 * Find the addresses of @store, each once: of a unix socket its path, of a name all it has, the
 * first TARGETS_MAX of them.  @targets must be zeroed.
 *
 * Blocks for a name server.  Returns how many there are and fills @targets, or a negative errno
 * after noting why in @findings, which
 * may be NULL.
 */
MUST_CHECK int resolve(const struct store_address *store, struct target targets[TARGETS_MAX],
                       struct findings *findings);

/*
 * Find the addresses of "tasks.@service", which Docker Swarm's name server has: those of the single
 * tasks behind a service's one address.  @targets must be zeroed.
 *
 * Blocks for a name server.  Returns how many there are, 0 also when there is no such name, or
 * -EAGAIN when the name server does not answer.
 */
MUST_CHECK int resolve_tasks(const char *service, unsigned port,
                             struct target targets[TARGETS_MAX]);
