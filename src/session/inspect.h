/*
 * inspect.h - a second conversation with an address that was probed: how the server is set up, and
 * whether it is the same one.
 *
 * Nothing here is needed by PHP, so a server, a proxy or an ACL that refuses it makes it unknown.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "session/facts.h"
#include "session/resolve.h"
#include "session/sample.h"
#include "session/savepath.h"
#include "util/macros.h"

/* Is what was written seen here? */
enum sight {
	SIGHT_UNKNOWN,
	SIGHT_SEEN,
	SIGHT_MISSING,
};

/* What to look for, and what was found. */
struct inspection {
	const struct store_address *store;
	const struct target *target;
	const struct sample *own;   /* written to this address; NULL: nothing */
	const struct sample *other; /* written to another address of the store; NULL: nothing */
	enum sight own_sight, other_sight;
	bool asked; /* the rest is filled */
	bool moved; /* a cluster sent us to another node */
	struct facts facts;
};

/* Ask.  Blocks until @deadline_us at most; @deep: the setup too, not just what is seen. */
void inspect(struct inspection *inspection, uint64_t deadline_us, bool deep);
