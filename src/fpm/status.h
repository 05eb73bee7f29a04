/*
 * status.h - read FPM's status page (`?json&full`).  Pure; fuzzed.
 *
 * Our own scanner instead of a JSON library: the page carries URIs, user names and script paths as
 * visitors sent them, not always as valid UTF-8, and a strict reader would let one visitor keep a
 * drain from ending.  It knows strings with escapes, nesting and nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/macros.h"

enum worker_state {
	WORKER_IDLE,
	WORKER_READING_HEADERS,
	WORKER_RUNNING,
	WORKER_FINISHING,
	WORKER_OTHER, /* "Getting request information", "Ending", and what later versions add */
};

struct fpm_status {
	unsigned long long accepted;  /* "accepted conn": requests since the master's start */
	unsigned long long queue;     /* "listen queue"; 0 for unix sockets, whatever waits there */
	unsigned long long queue_max; /* "max listen queue" */
	unsigned long long active_max;   /* "max active processes" */
	unsigned long long children_max; /* "max children reached": how often */
	unsigned long long slow;         /* "slow requests" */
	unsigned processes;              /* entries in "processes" */
	unsigned busy;                   /* of them, those whose state is not Idle */
	unsigned reading_headers;
	int busy_pid; /* one that is not idle (the first), or 0 */
	enum worker_state busy_state;
};

/*
 * Read @body of @size bytes (not NUL-terminated).
 *
 * Returns 0 and fills *@status, or -EBADMSG when it is no whole status page with "processes".
 */
MUST_CHECK int fpm_status_parse(const char *body, size_t size, struct fpm_status *status);

/* As FPM writes it.  Never NULL. */
const char *worker_state_name(enum worker_state state);
