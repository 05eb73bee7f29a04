/* body.h - the body of a request, which comes on stdin. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"

struct fcgi_body {
	int fd; /* what to read it from: stdin, or a copy; FD_NONE: there is none */
	bool sized;
	uint64_t size; /* when it is sized; otherwise the body ends where fd ends */
};

/*
 * Look at stdin: a terminal, and what is empty, is no body.  FastCGI wants the size first, so what
 * comes from a pipe is put into a file without a name, in TMPDIR or /tmp (64 KB and less: into
 * memory), unless @any_size, until clock_ms() is @until_ms.
 *
 * Returns 0 and fills *@body, which the caller closes with fcgi_body_done(), or an exit status
 * after having said why.
 */
MUST_CHECK int fcgi_body_open(bool any_size, uint64_t until_ms, struct fcgi_body *body);

void fcgi_body_done(struct fcgi_body *body);
