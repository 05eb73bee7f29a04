/* processes.h - the processes of the container, by /proc. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_TITLE_SIZE = 64 };

struct process_view {
	pid_t pid, parent;
	char state; /* as in ps: R, S, D, T, Z, ... */
	uint64_t age_ms;
	bool has_memory;                /* false: it is a zombie, or gone meanwhile */
	uint64_t memory;                /* bytes: see process_memory() */
	char title[PROCESS_TITLE_SIZE]; /* its command line, or its name */
};

struct processes {
	unsigned count;
	struct process_view list[4096]; /* by pid */
};

/* All processes that we can see; those beyond the last place are left out. */
void processes_read(struct processes *processes);

/*
 * Bytes that only the process @pid has in memory, from smaps_rollup; where we may not read that
 * (other users' processes, without CAP_SYS_PTRACE), from statm what it has in memory but files and
 * shared memory, which counts pages twice that it has in common with its parent since the fork.
 * False: it is gone.
 */
bool process_memory(pid_t pid, uint64_t *bytes);

/* The memory of @pid and its children; *@count is how many they are.  False: @pid is not there. */
bool processes_sum(const struct processes *processes, pid_t pid, uint64_t *bytes, unsigned *count);
