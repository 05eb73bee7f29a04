/*
 * signals.h - signals as data: all are blocked and read from a signalfd.
 *
 * The signals that the kernel raises for our own faults (SIGSEGV and its like) stay as they are.
 * Blocked signals reach PID 1 through the signalfd, so no handlers are needed (pid_namespaces(7)
 * only speaks of signals without a handler, and a pending blocked signal is not discarded).
 */
#pragma once

#include <signal.h>

#include "util/macros.h"

/* Block everything and remember the old mask in *@old.  Returns the signalfd or -errno. */
MUST_CHECK int signals_open(sigset_t *old);

/*
 * In a child before exec: default dispositions and the mask @mask, because both outlive exec.
 */
void signals_restore(const sigset_t *mask);

/* Which signals are ignored now: what nohup(1) leaves.  Before signals_open(), which ends that. */
sigset_t signals_ignored(void);

/* Ignore @set again.  In a child, after signals_restore(). */
void signals_ignore(const sigset_t *set);
