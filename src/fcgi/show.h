/* show.h - an answer as it comes: its head is read, the rest goes to stdout and stderr. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fpm/fastcgi.h"
#include "util/macros.h"

struct fcgi_show {
	const char *where; /* who answers, for sentences */
	bool headers;      /* show them, too */
	struct fastcgi_reply reply;
	uint64_t received;   /* bytes of FastCGI */
	uint8_t began[40];   /* the first of them */
	bool head_done;      /* the head has been read; */
	int status;          /* its HTTP status, 0 for one that is none */
	bool line_open;      /* what came for stderr did not end its line */
	bool script_unknown; /* PHP-FPM found no file of that name */
};

/* Start; headers are shown if @headers.  @where is borrowed. */
void fcgi_show_init(struct fcgi_show *show, const char *where, bool headers);

/*
 * Show the next @size bytes of the answer.  Returns 0 (look at show->reply.ended), or an exit
 * status after having said why: it is no FastCGI, or cannot be shown.
 */
MUST_CHECK int fcgi_show_feed(struct fcgi_show *show, const uint8_t *bytes, size_t size);

/* The exit status of an answer that has ended, after having said why it is not 0. */
MUST_CHECK int fcgi_show_end(const struct fcgi_show *show);

/* The connection ended with @error (0: it was closed) before the answer did. */
MUST_CHECK int fcgi_show_cut(const struct fcgi_show *show, int error);

/* Time was up. */
MUST_CHECK int fcgi_show_late(const struct fcgi_show *show);
