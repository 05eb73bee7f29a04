/* fcgi_replica.h - the way to one replica alone, past the visitors. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "util/macros.h"

struct fcgi_replica {
	char app[NAME_SIZE];
	unsigned number; /* from 1 */
};

/* Take "APP/N" apart.  False when it is none. */
MUST_CHECK bool fcgi_replica_parse(const char *text, struct fcgi_replica *replica);

/*
 * Connect to the probe socket of @wanted, written @text; the running twinit is asked where it is,
 * and again when a roll has replaced it meanwhile.  Waits for its queue until clock_ms() is
 * @until_ms.
 *
 * Returns 0 and fills *@fd, or an exit status after having said why not.
 */
MUST_CHECK int fcgi_replica_connect(const struct fcgi_replica *wanted, const char *text,
                                    uint64_t until_ms, int *fd);
