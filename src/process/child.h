/* child.h - what every child of ours does first, and the reports of those that fail. */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/macros.h"

/* How this program was started, which children get back.  Filled once, before the first fork. */
struct inheritance {
	sigset_t mask; /* signal mask */
	mode_t umask;
	uint64_t open_files; /* soft limit of descriptors, see rlimits_open_many() */
};

/* The steps from fork to exec, in their order. */
enum spawn_stage {
	STAGE_SESSION,
	STAGE_SECRETS,
	STAGE_GROUPS,
	STAGE_NAMESPACE,
	STAGE_PRIVATE_TREE,
	STAGE_LIMITS,
	STAGE_BOUNDING_SET,
	STAGE_USER,
	STAGE_CAPABILITIES,
	STAGE_NO_NEW_PRIVILEGES,
	STAGE_DESCRIPTORS,
	STAGE_FILTERS, /* last, so that they need not allow the stages above */
	STAGE_EXEC,
	SPAWN_STAGE_COUNT,
};

/* What a child that could not exec sends before it exits. */
struct spawn_failure {
	enum spawn_stage stage;
	int error; /* negative errno */
};

/* What the stage does, to complete "cannot ...".  Never NULL. */
const char *spawn_stage_name(enum spawn_stage stage);

/* What it means when a process could not be made, or not live, because of -errno @error. */
const char *child_trouble(int error);

/*
 * Read the report of a child that was reaped from @report_fd, and close it.
 *
 * Returns 0 when there was none (the exec worked), or the negative errno of the failed stage,
 * which is stored in *@stage.
 */
MUST_CHECK int spawn_report(int *report_fd, enum spawn_stage *stage);
