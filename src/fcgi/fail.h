/* fail.h - how `twinit fcgi` ends: one sentence, and the exit status that curl would give. */
#pragma once

#include "util/macros.h"

enum fcgi_exit {
	FCGI_WELL = 0,
	FCGI_NO_REPLICA = 1,
	FCGI_USAGE = 64,
	FCGI_NO_NAME = 6,
	FCGI_NO_CONNECTION = 7,
	FCGI_NOT_FASTCGI = 8,
	FCGI_CUT = 18,
	FCGI_HTTP_ERROR = 22, /* the status is 400 or above */
	FCGI_NO_OUTPUT = 23,
	FCGI_NO_INPUT = 26,
	FCGI_TIMEOUT = 28,
	FCGI_NO_ANSWER = 52,
};

/* Say the sentence on stderr.  Returns @status. */
PRINTF_LIKE(2, 3) int fcgi_fail(enum fcgi_exit status, const char *format, ...);
