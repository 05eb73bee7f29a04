/*
 * isolation.h - what can be pinned here?  Tried in a child, by really doing it.
 *
 * Less than a namespace is chosen only where that is refused.  For want of memory, processes or
 * descriptors it is tried again for a moment, and then there is no answer but why.
 */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "release/pin.h"

struct isolation_query {
	enum isolation wanted;
	char link[CONFIG_PATH_SIZE]; /* the release symlink; empty: no release */
	struct pin_cover cover;      /* see struct spawn */
	bool path_possible;          /* release and docroot are set */
};

struct isolation_answer {
	bool ok;
	enum pin pin;
	char why[512]; /* one sentence: why not more, or why nothing */
};

/* A question's run: takes a struct isolation_query, answers once. */
void isolation_run(const void *query, int answer_fd);
