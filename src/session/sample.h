/* sample.h - the session that a store is tried with: one key, written, read and deleted. */
#pragma once

#include "session/savepath.h"

enum {
	SAMPLE_RANDOM = 8, /* bytes, each two digits */
};

struct sample {
	char key[STORE_PREFIX_SIZE + 64];
	char lock[STORE_PREFIX_SIZE + 64 + sizeof("_LOCK")]; /* as phpredis calls it */
	char value[2 * SAMPLE_RANDOM + 1];
};

/*
 * Fill *@sample with a key below @prefix and a value, which nobody else uses at the same time:
 * random, or time and process id while the kernel has no random numbers.  Does not block.
 */
void sample_make(struct sample *sample, const char *prefix);
