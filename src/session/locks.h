/* locks.h - session locks that killed workers of ours have left behind. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "session/members.h"
#include "util/macros.h"

/*
 * Look at the lock keys below @prefix, and delete those whose owner is a process of this host,
 * @hostname, that is gone: phpredis writes "HOSTNAME|PID".  A lock that changed hands meanwhile
 * stays.  Not for a host name that two tasks have.
 *
 * Blocks as long as @carrier does.  Returns 0, or a negative errno of carrier->ask(); *@released is
 * raised in both cases.
 */
MUST_CHECK int locks_release(struct carrier *carrier, const char *prefix, const char *hostname,
                             uint32_t *released);

/* Is @value the lock of a process of @hostname?  Then its number, else 0.  Pure. */
long locks_owner(const char *value, const char *hostname);

/* The pattern of all lock keys below @prefix, in which nothing is special, into @to.  Pure. */
void locks_pattern(const char *prefix, char *to, size_t size);
