/*
 * seek.h - is a session that PHP wrote where it should be?  For helpers: resolves and connects.
 */
#pragma once

#include <stdint.h>

#include "session/store.h"
#include "util/macros.h"

enum sought {
	SOUGHT_FOUND,
	SOUGHT_MISSING, /* the store answered, and does not have it */
	SOUGHT_UNKNOWN, /* it could not be asked, or does not let us look */
	SOUGHT_TLS,     /* a TLS store, which only PHP can ask */
};

/*
 * Look for the session @id in the store that @source says, and name that in @where, of
 * STORE_WHERE_SIZE bytes.  Blocks until @deadline_us (util/clock.h) at most, and for name servers.
 */
MUST_CHECK enum sought seek_session(const struct session_source *source, const char *id,
                                    uint64_t deadline_us, char *where);
