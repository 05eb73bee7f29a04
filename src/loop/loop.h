/*
 * loop.h - the only place where PID 1 waits: one epoll set and a list of deadlines.
 *
 * Within one turn descriptors come first and deadlines after them, so that a process that left in
 * time is not killed for being late.  Nothing here allocates.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"

/* A descriptor somebody waits for, embedded in its owner, who finds itself with container_of(). */
struct event_source {
	int fd;       /* owned by the embedding structure */
	bool watched; /* the loop's */
	void (*on_ready)(struct event_source *source);
};

/* A moment somebody waits for, embedded in its owner.  Zero-initialised: not armed. */
struct deadline {
	uint64_t at_ms; /* clock_ms(); 0: not armed */
	void (*on_due)(struct deadline *deadline);
	struct deadline *next; /* the loop's list */
};

struct loop {
	int epoll_fd;
	struct deadline *deadlines; /* in no order: there are few */
};

/* Make an empty loop.  0 or -errno. */
MUST_CHECK int loop_init(struct loop *loop);
void loop_done(struct loop *loop);

/*
 * Call source->on_ready whenever source->fd is readable (or has hung up), until loop_forget().
 * Level-triggered; callbacks must not block and must bear being called without data.  0 or -errno.
 */
MUST_CHECK int loop_watch(struct loop *loop, struct event_source *source);

/* The same, but only when source->fd, a socket, was shut down by somebody who has it too. */
MUST_CHECK int loop_watch_shut(struct loop *loop, struct event_source *source);

/*
 * Stop watching, at once: on_ready is not called any more in this turn either.  Does not close.
 * Fine for a source that is not watched.
 */
void loop_forget(struct loop *loop, struct event_source *source);

/* Call deadline->on_due once, @in_ms from now.  An armed deadline is moved. */
void deadline_arm(struct loop *loop, struct deadline *deadline, uint64_t in_ms);
void deadline_disarm(struct loop *loop, struct deadline *deadline);

/* Wait for something to happen and make the calls that are due.  0 or -errno. */
MUST_CHECK int loop_turn(struct loop *loop);
