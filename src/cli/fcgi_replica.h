/* fcgi_replica.h - the way to one replica alone, past the visitors. */
#pragma once

#include <stdint.h>

#include "util/macros.h"

/*
 * Connect to the probe socket of the replica that @text ("APP/N") names; the running twinit is
 * asked where it is.  Waits for its queue until clock_ms() is @until_ms.
 *
 * Returns 0 and fills *@fd, or an exit status after having said why not.
 */
MUST_CHECK int fcgi_replica_connect(const char *text, uint64_t until_ms, int *fd);
