/* link.h - a symlink that changes in one step. */
#pragma once

#include "util/macros.h"

/*
 * Make @path (absolute) a symlink to @target: whoever follows it finds the old target or the new
 * one, never none.  Returns 0 or -errno.
 */
MUST_CHECK int link_replace(const char *path, const char *target);
