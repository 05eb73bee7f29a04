/*
 * spawn.h - start an FPM master: in its own namespace, as the pool's user, without capabilities.
 *
 * The child goes through the stages of enum spawn_stage.  If one fails it sends the stage and the
 * errno through a close-on-exec pipe and exits; the owner reads that when it reaps the child
 * (spawn_report()), so nobody has to guess from an exit status what went wrong, and nobody waits
 * for an exec.  Pids are safe to signal without pidfds here: only loop/reap collects children, so a
 * number cannot be reused before its owner was told.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "confine/identity.h"
#include "confine/rlimits.h"
#include "process/child.h"
#include "release/pin.h"
#include "util/macros.h"

enum {
	SPAWN_FIRST_FD = 3,
	SPAWN_FDS_MAX = 64,
	SPAWN_PROGRAM_FD = SPAWN_FIRST_FD + SPAWN_FDS_MAX,
};

struct spawn {
	const struct inheritance *inheritance;
	const char *path; /* program */
	int program_fd;   /* a copy of it, run in its place where that works; FD_NONE: none */
	const char *program_link; /* a name for SPAWN_PROGRAM_FD, where the copy is then */
	const char *const *argv;  /* NULL-terminated */
	const char *const *envp;  /* NULL-terminated */
	int fds[SPAWN_FDS_MAX]; /* fds[i] becomes descriptor SPAWN_FIRST_FD + i; all others close */
	size_t fd_count;
	int stderr_fd;       /* becomes stdout and stderr */
	const char *secrets; /* names of variables to fill in, see secrets_load() */
	uint32_t filters;    /* see confine/filter.h */
	struct identity identity;
	uint64_t caps; /* that it keeps; 0 unless identity is root */
	struct rlimits rlimits;
	enum pin pin;        /* PIN_MOUNT or PIN_USERNS: a mount namespace of its own */
	const char *link;    /* the release symlink to fix; "": nothing to fix */
	const char *release; /* what it is fixed to */
	bool read_only;
	struct pin_cover cover; /* for a mount namespace */
};

struct child {
	pid_t pid;     /* leader of its own session and process group; 0: none */
	int report_fd; /* see spawn_report() */
};

/*
 * Start the program.  Everything in @spawn is borrowed and not kept.  Blocks no longer than fork.
 * Returns 0 and fills *@child, or -errno when no process was made.
 */
MUST_CHECK int spawn_start(const struct spawn *spawn, struct child *child);
