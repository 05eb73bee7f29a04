/* tasks.h - do all tasks of our service keep their sessions where we do? */
#pragma once

#include <stdbool.h>

#include "session/finding.h"
#include "session/members.h"
#include "session/resolve.h"

/* The tasks that the name server knows; asked once.  Starts zeroed. */
struct tasks {
	bool asked;
	int count; /* or a negative errno */
	struct target targets[TARGETS_MAX];
};

/*
 * Note whether each address of "tasks.@service" belongs to one of @members of the store @subject.
 * The first time it blocks for a name server.
 */
void tasks_compare(struct tasks *tasks, const char *service, const struct members *members,
                   const char *subject, struct findings *findings);
