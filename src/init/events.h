/*
 * events.h - tell the operator's program (`on_event`) what happened.
 *
 * A few runs at once, and a short queue behind them: a program that hangs holds up nothing but the
 * next event.  What is wrong with it is said once, and again after it has worked in between.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "init/event_facts.h"
#include "loop/loop.h"
#include "process/helper.h"

enum {
	EVENT_RUNS = 4,
	EVENT_PLACES = EVENT_RUNS + 1, /* one is kept for "stopping" */
	EVENTS_WAITING_MAX = 32,
};

struct supervisor;

/* One run of the program. */
struct event_run {
	struct helper helper;
	struct supervisor *supervisor;
	unsigned number; /* of all starts */
	bool over;       /* it said how it ended */
	bool flooded;    /* they were too many */
};

struct events {
	struct event_run runs[EVENT_PLACES];
	struct event queue[EVENTS_WAITING_MAX]; /* a ring */
	unsigned first, count;
	unsigned number;  /* of the last event */
	unsigned dropped; /* since the last one that was queued */
	unsigned starts;
	bool complained;     /* of a run that failed, and none has worked since */
	unsigned said_until; /* starts: the runs that one complaint was about */
	bool flooded;        /* the same of one that printed too much */
	struct deadline last;
	bool over; /* the container stops, and that was their time */
};

void events_init(struct supervisor *supervisor);

/* Tell the program of @news, if it is one of its events: now or, when it is busy, later. */
void events_tell(struct supervisor *supervisor, const struct news *news);

/* The container stops: whoever runs has until @at_ms (clock_ms()).  May be called again. */
void events_end_at(struct supervisor *supervisor, uint64_t at_ms);

/* Is the program still to be told of something? */
bool events_busy(const struct supervisor *supervisor);

/* A process was reaped, see helper_note_exit(). */
void events_note_exit(struct supervisor *supervisor, pid_t pid);

/* End all runs, and forget what waits. */
void events_stop(struct supervisor *supervisor);
