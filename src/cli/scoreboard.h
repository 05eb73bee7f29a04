/* scoreboard.h - what FPM itself says, asked of all masters at the same time. */
#pragma once

#include "cli/overview.h"

/*
 * Ask each pool of each master in @apps over the private sockets below @run_dir, in processes of
 * our own, so that those who do not answer cost one second together.  What cannot be had stays as
 * it is: not answered.  0, or -errno when not all could be asked for want of processes or pipes.
 */
MUST_CHECK int scoreboard_fill(const char *run_dir, struct app_view apps[], unsigned count);

/* Add @more to @sum.  Queues are not added: pools of a group share them. */
void scoreboard_add(struct fpm_status *sum, const struct fpm_status *more);
