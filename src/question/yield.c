#include "question/yield.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/cleanup.h"

/* Without the first half, to which interrupts come more often; with one processor that one. */
static cpu_set_t second_half(cpu_set_t set)
{
	int excess = CPU_COUNT(&set) / 2;

	for (size_t cpu = 0; excess > 0 && cpu < CPU_SETSIZE; cpu++) {
		excess -= CPU_ISSET(cpu, &set) != 0;
		CPU_CLR(cpu, &set);
	}
	return set;
}

/* Those that it has already been kept to stay the same; one that may not run there is let be. */
static void keep_to(const cpu_set_t *half, pid_t pid)
{
	cpu_set_t set;

	if (sched_getaffinity(pid, sizeof(set), &set) < 0)
		return;
	CPU_AND(&set, &set, half);
	if (CPU_COUNT(&set) > 0)
		(void)sched_setaffinity(pid, sizeof(set), &set);
}

/* The master first: whom it starts meanwhile has what it has. */
static void keep_family_to(const cpu_set_t *half, pid_t master)
{
	_cleanup_free_ char *child = NULL;
	size_t size = 0;
	char path[64];

	keep_to(half, master);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", master, master);
	_cleanup_file_ FILE *children = fopen(path, "re");
	while (children && getdelim(&child, &size, ' ', children) > 0)
		keep_to(half, (pid_t)strtol(child, NULL, 10));
}

void yield_run(const void *query, int answer_fd)
{
	const struct yield_query *yield = query;
	cpu_set_t half;

	(void)answer_fd;
	if (sched_getaffinity(0, sizeof(half), &half) < 0)
		return;
	half = second_half(half);
	for (unsigned i = 0; i < yield->count; i++)
		keep_family_to(&half, yield->masters[i]);
}
