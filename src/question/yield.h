/*
 * yield.h - have processes that end leave processors to those who serve.
 *
 * Each worker of FPM shuts PHP down when it ends: milliseconds, most of them page faults, all
 * workers at once.  Whoever serves visitors on the same processors waits for its turn among them.
 * On half of the processors their end takes longer, and nobody waits for it.
 */
#pragma once

#include <sys/types.h>

#include "config/config.h"

enum { YIELD_MASTERS_MAX = REPLICAS_MAX + 1 };

struct yield_query {
	unsigned count;
	pid_t masters[YIELD_MASTERS_MAX]; /* as our /proc knows them; none of them reaped yet */
};

/*
 * A question's run: takes a struct yield_query, keeps the masters and their children to the second
 * half of our own processors, and answers nothing.  Where that is refused (the kernel wants the
 * same user, sched_setaffinity(2)) or there is only one, all stays as it is.
 */
void yield_run(const void *query, int answer_fd);
