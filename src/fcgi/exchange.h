/* exchange.h - a request goes out and its answer is shown, both piece by piece. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fcgi/body.h"
#include "fcgi/params.h"

struct fcgi_exchange {
	int fd;            /* the connection */
	const char *where; /* whom it leads to, for sentences */
	const struct fcgi_params *params;
	struct fcgi_body body;
	bool headers; /* show them, too */
	uint64_t until_ms;
	uint64_t first_us; /* clock_us() when the first byte came; 0: none came */
};

/*
 * Send the request, at the same time show what comes: the body of the answer on stdout, FastCGI's
 * stderr on stderr.  Waits until the answer is complete, clock_ms() is until_ms, or for whoever
 * reads stdout.
 *
 * Returns the exit status after having said why it is not 0.
 */
MUST_CHECK int fcgi_exchange_run(struct fcgi_exchange *exchange);
