/*
 * relay.h - a pipe for the stderr of masters, and the helper that copies it to ours: where they
 * cannot open that themselves, or somebody wants to know which of their workers died.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"
#include "process/helper.h"
#include "util/macros.h"

/* Of a pipe that FPM, as whatever user, may open again by /proc/self/fd/2. */
enum { RELAY_PIPE_MODE = 0622 };

struct relay {
	struct loop *loop;
	const struct inheritance *inheritance;
	struct helper helper;
	struct deadline next; /* starts another helper; or ends the one whose time is over */
	int from;             /* what the helper reads; FD_NONE: no relay */
	int to;               /* what masters get; FD_NONE: no more of them come */
	unsigned deaths;      /* of workers that nobody asked to go */
};

/* An empty value: no relay. */
void relay_init(struct relay *relay);

/* Make the pipe, which anybody may open again by /proc, and start the helper.  0 or -errno. */
MUST_CHECK int relay_open(struct relay *relay, struct loop *loop,
                          const struct inheritance *inheritance);

/* No more masters come: the helper goes when all that have it are gone, or 5 s from now. */
void relay_finish(struct relay *relay);

/* False once relay_finish() is through. */
bool relay_runs(const struct relay *relay);

/* The program ends: wait until the helper has copied what is left, at most until @until_ms. */
void relay_flush(struct relay *relay, uint64_t until_ms);
