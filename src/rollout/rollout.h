/*
 * rollout.h - a rolling restart of one app, as a state machine.  Pure: it is shown what there is
 * and gives at most one order at a time; the supervisor carries it out.
 *
 *   idle -> preflight -> lane -> [room ->] build -> prove -> publish -> watch -> drain -> fill ->
 * idle |          |                 |        |         |       |       ^
 *               +----------+-> idle          +--------+---------+       +-> return
 *                                            |
 *                                            +-> abandon -> fill -> idle
 *
 * Masters belong to one of three groups.  The active ones serve.  A roll makes candidates, on a
 * lane where no visitor is; the cutover turns them into the active ones and these into old ones.
 * While the roll is watched the old ones stay as they are, warm, and one more cutover makes them
 * the active ones again; then those that are the old ones drain.  What must never happen: an order
 * to stop or drain the active group (but for the one master that `surge = 0` gives up, and never
 * the last), a cutover to a candidate that is not ready, a way back to where nobody is ready, a
 * lane that is built on while a connection waits there.
 */
#pragma once

#include <stdbool.h>

#include "rollout/lifecycle.h"

enum group {
	GROUP_ACTIVE,
	GROUP_CANDIDATE,
	GROUP_OLD,
	GROUP_COUNT,
};

enum answer {
	ANSWER_PENDING,
	ANSWER_YES,
	ANSWER_NO,
};

/* What the rollout is shown. */
struct roll_view {
	unsigned replicas;      /* wanted */
	unsigned surge;         /* 0 to replicas */
	enum answer preflight;  /* may this roll begin? */
	bool drain_long;        /* the old ones have drained for a while */
	enum answer lane_empty; /* ANSWER_NO: not within the time allowed */
	enum answer proof;      /* do sessions go on in the candidates? */
	enum answer published;  /* are their static files where the web server looks? */
	bool lingers;           /* the cutover is young enough for a way back */
	bool condemned;         /* the new release is not wanted any more */
	unsigned masters[GROUP_COUNT][MASTER_STATE_COUNT]; /* how many, but MASTER_GONE */
};

enum roll_phase {
	ROLL_IDLE,
	ROLL_PREFLIGHT, /* a helper reads the configuration */
	ROLL_LANE,      /* the lane to build on must be empty */
	ROLL_ROOM,      /* surge = 0: one active master leaves first */
	ROLL_BUILD,     /* candidates start */
	ROLL_PROVE,     /* they are asked what only all of them together can show */
	ROLL_PUBLISH,   /* their static files go live */
	ROLL_WATCH,     /* they are the active ones now; the old ones are kept for a way back */
	ROLL_RETURN,    /* they were taken back: the old ones are the active ones again */
	ROLL_DRAIN,     /* the old ones finish */
	ROLL_FILL,      /* the replicas that the surge left out start */
	ROLL_ABANDON,   /* candidates are stopped; the active ones were never touched */
	ROLL_PHASE_COUNT,
};

enum roll_outcome {
	ROLL_NONE,       /* none yet */
	ROLL_DONE,       /* the new release is active */
	ROLL_REFUSED,    /* nothing was touched */
	ROLL_FAILED,     /* candidates failed; the active ones serve on */
	ROLL_TAKEN_BACK, /* the new release was active, and the old one is again */
	ROLL_OUTCOME_COUNT,
};

enum order_kind {
	ORDER_NONE,
	ORDER_PREFLIGHT, /* ask whether the roll may begin */
	ORDER_CLEAR,     /* have the idle lane emptied; arm the limit for it */
	ORDER_ROOM,      /* stop one active master */
	ORDER_BUILD,     /* start order.count candidates on the idle lane */
	ORDER_PROVE,     /* ask the candidates whether sessions go on in them */
	ORDER_CUTOVER,   /* all new connections to the candidates; they become the active ones */
	ORDER_PUBLISH,   /* publish the candidates' release */
	ORDER_BACK,    /* all new connections to the old ones; they become the active ones again */
	ORDER_DRAIN,   /* the old ones may finish and go */
	ORDER_FILL,    /* start what the active group lacks */
	ORDER_ABANDON, /* stop the candidates */
	ORDER_FINISH,  /* tell order.outcome to whoever asked */
};

struct order {
	enum order_kind kind;
	unsigned count;
	enum roll_outcome outcome;
};

struct rollout {
	enum roll_phase phase;
	enum roll_outcome outcome; /* of the roll at hand, once known */
	bool cutover_failed;       /* the candidates are fine, but cannot be made active */
	bool return_failed;        /* there is no way back */
	unsigned before_room;      /* active masters when one was told to leave */
	bool again;                /* asked for during a roll: run once more afterwards */
};

/* Ask for a roll.  One at a time; a further request is remembered, once. */
void rollout_request(struct rollout *rollout);

/* The next order, or ORDER_NONE: wait until what @view shows has changed. */
struct order rollout_next(struct rollout *rollout, const struct roll_view *view);

/* The cutover that was ordered could not be done. */
void rollout_cutover_failed(struct rollout *rollout);

/* The way back that was ordered could not be gone. */
void rollout_return_failed(struct rollout *rollout);

/* Forget everything: the program stops. */
void rollout_cancel(struct rollout *rollout);

/* How many candidates a roll of @replicas starts. */
unsigned rollout_build_count(unsigned replicas, unsigned surge);

/* Words for status and log.  Never NULL. */
const char *roll_phase_name(enum roll_phase phase);
const char *roll_outcome_name(enum roll_outcome outcome);
