/* backoff.h - how long to wait before what failed, a master mostly, is tried again.  Pure. */
#pragma once

#include <stdint.h>

enum {
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MOST_MS = 10000,
	BACKOFF_FORGIVEN_MS = 10000, /* a life of this length ends a series of crashes */
};

/* After the @crashes-th crash, or failure, in a row (1 is the first): doubled each time, up to the
 * most. */
uint32_t backoff_ms(unsigned crashes);

/* Crashes in a row, when one more comes after a life of @lived_ms and @crashes before it. */
unsigned backoff_count(unsigned crashes, uint64_t lived_ms);
