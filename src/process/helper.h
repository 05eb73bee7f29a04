/*
 * helper.h - ask one question in a child: what may block, or reads bytes from outside, never runs
 * in PID 1.
 *
 * A helper is a fork without exec.  It has a process group of its own, the descriptors it was given
 * and no others, no more power than its kind needs, and a deadline, after which its whole group is
 * killed.  It answers in messages whose size can be checked, on a socket that keeps their
 * boundaries.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "confine/identity.h"
#include "loop/loop.h"
#include "process/child.h"
#include "util/macros.h"

/*
 * What a kind of helper may do.  All have no_new_privs and a syscall filter; all but the first two,
 * which read nothing from outside, have no capability.
 */
enum helper_power {
	POWER_TRIAL,   /* what we may: tries what a replica will do; no sockets */
	POWER_LINKS,   /* what we may: moves symlinks; files only */
	POWER_CONFIG,  /* our user: runs `php-fpm -tt` */
	POWER_PRIVATE, /* a user of its own, whose group may enter the private directory; unix
	                  sockets, no files */
	POWER_CHAIN,   /* the same; asks stores, too */
	POWER_NETWORK, /* a user and group of its own; name servers and stores */
	POWER_COPY,    /* the same user; the descriptors it has, nothing else */
	POWER_YIELD,   /* a user it is given; reads /proc and chooses processors, nothing else */
	POWER_PROGRAM, /* a user it is given; runs a program of the operator's, as free as PHP, but
	                  for its process group, which nobody leaves */
};

enum { HELPER_KEEP_MAX = 64 };

/* What a helper is to do. */
struct question {
	/* Runs in the child; answers with helper_answer() on @answer_fd.  Its return ends it. */
	void (*run)(const void *query, int answer_fd);
	const void *query; /* borrowed until helper_start() returns */
	enum helper_power power;
	struct identity identity;  /* for POWER_YIELD and POWER_PROGRAM */
	int keep[HELPER_KEEP_MAX]; /* descriptors the child may have */
	size_t keep_count;
	uint32_t timeout_ms; /* 0: none, somebody else ends it */
};

/* A running helper, embedded in its owner.  Zero-initialised: not running. */
struct helper {
	struct event_source source;
	struct deadline deadline;
	struct loop *loop;
	pid_t pid;     /* 0: not running */
	int passed_fd; /* came with the answer at hand; on_answer may take it */
	bool late;     /* its deadline has passed */
	bool reaped;   /* its process is gone, on_end has not come yet */
	void (*on_answer)(struct helper *helper, const void *answer, size_t size);
	void (*on_end)(struct helper *helper); /* it is gone, or cannot die; may start another */
};

enum { HELPER_QUERY_MAX = 24 * 1024 };

/*
 * @size bytes of zeros for a query, HELPER_QUERY_MAX at most: some kilobytes, too many for the
 * stack.  One place for all, until the next call or turn of the loop: once helper_start() returns,
 * the child has a copy.  Never NULL.
 */
void *helper_query(size_t size);

/*
 * Start @question.  on_answer and on_end of @helper must be set; on_end comes exactly once, after
 * the last answer.  Blocks no longer than fork.  0, or -errno and nothing runs.
 */
MUST_CHECK int helper_start(struct helper *helper, struct loop *loop,
                            const struct inheritance *inheritance, const struct question *question);

/* Kill it, without any further call.  Fine when it does not run. */
void helper_stop(struct helper *helper);

/* Somebody was reaped; if it is this helper it must not be signalled any more. */
void helper_note_exit(struct helper *helper, pid_t pid);

bool helper_running(const struct helper *helper);

/* In the child: send an answer.  Exits when nobody listens. */
void helper_answer(int answer_fd, const void *answer, size_t size);

/* The same, with the descriptor @fd, which the receiver gets a copy of (FD_NONE: none). */
void helper_answer_with_fd(int answer_fd, const void *answer, size_t size, int fd);
