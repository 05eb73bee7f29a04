/*
 * server.h - PID 1's end of the control socket.
 *
 * Only root and our own user may speak, and nobody below an FPM master: a worker that runs as our
 * user could otherwise give orders.  A client that is silent, slow or talks nonsense costs a
 * descriptor for CLIENT_PATIENCE_MS and nothing else.  However many wait for what takes its time,
 * there are places for those who are answered at once: a health check must not fail for them.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "control/wire.h"
#include "loop/loop.h"
#include "util/macros.h"

enum { CLIENTS_MAX = 32, CLIENTS_WAITING_MAX = 24, CLIENT_PATIENCE_MS = 5000 };

struct server;

struct client {
	struct event_source source; /* fd FD_NONE: a free place */
	struct deadline patience;   /* for its request */
	struct server *server;
	bool asked;
	struct wire_request request; /* valid once it has asked */
	/* For whoever answers: which roll of each app this client waits for (0: none), and the
	 * worst exit status among those that ended. */
	uint32_t awaits[APPS_MAX];
	int exit_status;
};

struct server {
	struct event_source source;
	int spare_fd;           /* given up to take a client leave who finds no descriptor */
	struct deadline rested; /* while nobody can be taken at all */
	struct loop *loop;
	struct client clients[CLIENTS_MAX];
	/* Is @pid below an FPM master? */
	bool (*is_below_master)(struct server *server, pid_t pid);
	/* A whole request came; answer with server_send(), now or later, until a WIRE_END. */
	void (*on_request)(struct server *server, struct client *client);
};

/*
 * Listen on WIRE_SOCKET in the directory @dir_fd.  The callbacks must be set.  0 or -errno.
 */
MUST_CHECK int server_open(struct server *server, struct loop *loop, int dir_fd);
void server_close(struct server *server);

/*
 * Send @reply; after a WIRE_END the client is closed.  Never blocks: a client that does not read is
 * closed.
 */
void server_send(struct client *client, struct wire_reply *reply);

/* The same with a copy of @fd, which stays the caller's (FD_NONE: none). */
void server_send_with_fd(struct client *client, struct wire_reply *reply, int fd);

/* Has @client asked, and does it wait for the answer? */
bool client_waits(const struct client *client);

/*
 * What @client awaited of app @index has come, or failed; it is told the end when it awaits nothing
 * of another app either.
 */
void client_served(struct client *client, size_t index, bool failed);

/* End the conversation with @client. */
PRINTF_LIKE(3, 4)
void server_end(struct client *client, int exit_status, const char *format, ...);
