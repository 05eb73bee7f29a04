/* proc.h - other processes, by /proc. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "util/macros.h"

/* The parent of @pid, or 0 when it is gone or not ours to see. */
pid_t proc_parent(pid_t pid);

/*
 * True when is_ancestor(@context, p) is true for @pid itself or one of its ancestors p.  Looks at
 * PROC_DEPTH_MAX generations; deeper counts as true, because honest process trees are shallow.
 */
enum { PROC_DEPTH_MAX = 64 };
bool proc_descends(pid_t pid, bool (*is_ancestor)(void *context, pid_t pid), void *context);

/* What a process, and with it all its descendants, has lost for good. */
struct proc_confinement {
	bool no_new_privileges;
	unsigned filters; /* syscall filters it lives under */
};

/* Fill *@confinement for @pid.  0, or -errno: -ENOENT when it is gone. */
MUST_CHECK int proc_confinement(pid_t pid, struct proc_confinement *confinement);

/*
 * Send @number (0: none, just count) to every process below us, children first, zombies left out.
 * Where orphans come to us (PID 1, subreaper) that is everybody we have ever started.
 *
 * Returns how many there were, or -errno when /proc cannot be read.
 */
MUST_CHECK int proc_signal_descendants(int number);
