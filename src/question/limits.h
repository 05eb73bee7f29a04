/* limits.h - look at the container's memory and pid limits, and at what replicas use.  For helpers.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "rollout/room.h"

/* What the cgroup at @cgroup leaves, and what the largest of the process groups @masters uses. */
struct room limits_look(const char *cgroup, const pid_t masters[], size_t count);
