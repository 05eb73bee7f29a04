/*
 * cgroup.h - the container's control group, version 1 or 2, mounted at @root.  Reads the kernel's
 * own files; what cannot be read is no limit, and has not happened.
 */
#pragma once

#include <stdint.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

/* Bytes that are left, page cache that can go included; UINT64_MAX: no limit. */
uint64_t cgroup_memory_left(const char *root);

/* Processes that may still be made; UINT64_MAX: no limit. */
uint64_t cgroup_pids_left(const char *root);

/* Bytes that the container may use; UINT64_MAX: no limit. */
uint64_t cgroup_memory_limit(const char *root);

/* How many of its processes the kernel has killed for want of memory. */
uint64_t cgroup_oom_kills(const char *root);
