/* link.h - symlinks that change in one step. */
#pragma once

#include "util/macros.h"

/*
 * Make @path (absolute) a symlink to @target: whoever follows it finds the old target or the new
 * one, never none.  Returns 0 or -errno.
 */
MUST_CHECK int link_replace(const char *path, const char *target);

/*
 * Let two names (absolute) change places: whoever looks finds both where they were, or both where
 * they will be.  Returns 0 or -errno; -EINVAL where the filesystem cannot (NFS).
 */
MUST_CHECK int link_exchange(const char *one, const char *other);
