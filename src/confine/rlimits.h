/*
 * rlimits.h - what FPM can no longer give itself once it is not root: higher limits, and a
 * priority.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"

struct rlimits {
	uint64_t files; /* descriptors; 0: as they are */
	uint64_t core;  /* bytes of a core dump; RLIM_INFINITY: no limit; 0: as they are */
	bool has_priority;
	int priority; /* -19 to 20, see setpriority(2) */
};

/*
 * Raise the hard limits to @wanted, where they are lower and we may (CAP_SYS_RESOURCE); FPM then
 * sets its own and says itself when it cannot.  Take the priority.
 *
 * 0, or -errno when the priority was refused: one below the present needs CAP_SYS_NICE.
 */
MUST_CHECK int rlimits_take(const struct rlimits *wanted);

/*
 * Allow ourselves as many descriptors as the hard limit does: many pools on several lanes are more
 * than the usual 1,024.  Returns the soft limit of before, which children get back because programs
 * that use select(2) rely on it; 0 when it cannot be had.
 */
uint64_t rlimits_open_many(void);

/* Set the soft limit of descriptors to @open_files again, unless that is 0. */
void rlimits_give_back(uint64_t open_files);
