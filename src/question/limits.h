/* limits.h - look at the container's memory and pid limits, and at what replicas use.  For helpers.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "rollout/room.h"

#define LIMITS_CGROUP "/sys/fs/cgroup"

/*
 * What the cgroup mounted at @cgroup (version 1 or 2) leaves, and what the largest of the process
 * groups @masters uses.  What cannot be read counts as no limit.
 */
struct room limits_look(const char *cgroup, const pid_t masters[], size_t count);
