/*
 * unix_lanes.h - lanes of a unix address: each a socket of its own with a temporary name; the
 * cutover renames it over the public path.
 */
#pragma once

#include "listen/lane.h"

/* What lanes_open() and the like do with such an address, see lane.h. */
MUST_CHECK int unix_lanes_open(struct lanes *lanes);
MUST_CHECK int unix_lanes_prepare(struct lanes *lanes, unsigned lane);
MUST_CHECK int unix_lanes_keep(const struct lanes *lanes);
void unix_lanes_forget(const struct lanes *lanes, unsigned lane);
MUST_CHECK int unix_lanes_reach(const struct lanes *lanes, unsigned lane, int fds[],
                                unsigned count);
MUST_CHECK int unix_lanes_cutover(struct lanes *lanes, unsigned lane);

/* Remove the public path, if it is still ours, and the temporary names. */
void unix_lanes_unpublish(struct lanes *lanes);
