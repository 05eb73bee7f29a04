/* tcp_lanes.h - lanes of a TCP address: one SO_REUSEPORT group, see lane.h. */
#pragma once

#include "listen/lane.h"

/*
 * Bind and listen, lane 0 is the active one; see lanes_open().  Where the kernel steers nothing
 * there is one lane and lanes->steered is false.  On failure what is open stays so, for
 * lanes_close().
 */
MUST_CHECK int tcp_lanes_open(struct lanes *lanes);

/* See lanes_reach(), lanes_cutover(), lanes_lose() and lanes_refuse_new(). */
MUST_CHECK int tcp_lanes_reach(const struct lanes *lanes, unsigned lane, int fds[], unsigned count);
MUST_CHECK int tcp_lanes_cutover(const struct lanes *lanes, unsigned lane);
MUST_CHECK int tcp_lanes_lose(struct lanes *lanes, unsigned lane, unsigned other);
MUST_CHECK int tcp_lanes_refuse_new(const struct lanes *lanes);
