/*
 * lifecycle.h - what happens to one FPM master, as a table.  Pure.
 *
 *                      READY            DRAIN             IDLE, DEADLINE
 *   gone    starting ---------> ready ---------> draining ---------> quitting -----> gone
 *    |       ^  |  ^              |                                    |  EXIT         ^
 *    +-------+  |  | DEADLINE     | EXIT                               | DEADLINE      |
 *      START    |  |              v                                    v               |
 *      DEADLINE |  +---------- backoff                            terminating ---------+
 *               v                 ^                                    | DEADLINE      |
 *            aborting ------------+                                    v               |
 *                       EXIT                                        killing -----------+
 *
 * STOP leads from every state to quitting, or to gone where there is no process; EXIT leads from
 * starting to backoff.  A start that takes too long is killed only where no visitor can be: on a
 * lane that is in use FPM serves from its first moment on, whatever we know of it.  A master drains
 * without any signal: nothing new comes to its lane, and it gets SIGQUIT only when it was seen
 * idle, because FPM's graceful stop cuts sleep() and poll() short.  Every state that waits has a
 * deadline, so no FPM can hold twinit up; after SIGKILL only the kernel can be late.
 */
#pragma once

enum master_state {
	MASTER_GONE,        /* no process, nothing pending */
	MASTER_STARTING,    /* process runs, has not answered yet; start deadline armed */
	MASTER_ABORTING,    /* start took too long, told to go, comes back; abort deadline armed */
	MASTER_READY,       /* passed its trial */
	MASTER_DRAINING,    /* finishing what it has, watched; drain deadline armed */
	MASTER_QUITTING,    /* SIGQUIT sent; quit deadline armed */
	MASTER_TERMINATING, /* SIGTERM sent; term deadline armed */
	MASTER_KILLING,     /* SIGKILL sent to its group; will stay gone */
	MASTER_BACKOFF,     /* died unasked; retry deadline armed */
	MASTER_STATE_COUNT,
};

enum master_event {
	EVENT_START,    /* it should run */
	EVENT_READY,    /* it passed its trial */
	EVENT_DRAIN,    /* it should finish and go: nothing new comes to its lane */
	EVENT_IDLE,     /* it was seen idle, and its lane empty */
	EVENT_STOP,     /* it should go now, by SIGQUIT */
	EVENT_EXIT,     /* its process was reaped, or could not be made */
	EVENT_DEADLINE, /* the armed deadline passed */
	MASTER_EVENT_COUNT,
};

enum master_action {
	ACTION_NONE,   /* the event means nothing in this state */
	ACTION_SPAWN,  /* start the process and its trial, arm the start deadline */
	ACTION_SETTLE, /* disarm; nothing else to do */
	ACTION_WATCH,  /* watch it become idle, arm the drain deadline */
	ACTION_QUIT,   /* SIGQUIT, arm the quit deadline */
	ACTION_TERM,   /* SIGTERM, arm the term deadline */
	ACTION_ABORT,  /* SIGQUIT where visitors may be, or else SIGKILL, arm the abort deadline */
	ACTION_KILL,   /* SIGKILL to the group, disarm */
	ACTION_DELAY,  /* arm the retry deadline */
	MASTER_ACTION_COUNT,
};

struct transition {
	enum master_state next;
	enum master_action action;
};

/* What @event does to a master in @state.  ACTION_NONE: nothing, and next is @state. */
struct transition lifecycle_next(enum master_state state, enum master_event event);

/* "ready", "draining", ...  Never NULL. */
const char *master_state_name(enum master_state state);
