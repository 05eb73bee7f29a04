/*
 * news.h - what happened, as data: the supervisor makes it once, and log, control clients and the
 * event program render the same thing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "util/log.h"
#include "util/text.h"

enum news_kind {
	NEWS_READY,            /* all apps serve: count replicas */
	NEWS_ROLL_STARTED,     /* previous -> release */
	NEWS_ROLL_REMEMBERED,  /* asked for during a roll */
	NEWS_REPLICA_STARTING, /* replica, lane */
	NEWS_REPLICA_READY,    /* replica, lane, ms, text: what its trial showed */
	NEWS_REPLICA_BACK,     /* the same after a crash */
	NEWS_COLD,             /* text: a page did not warm up */
	NEWS_REPLICA_FAILED,   /* replica, text: why it is not there */
	NEWS_REPLICA_CRASHED,  /* replica, text: how, ms: when it is started again */
	NEWS_POINTED,          /* text: the release symlink and where it leads now */
	NEWS_REPLICA_STOPPING, /* replica */
	NEWS_REPLICA_STOPPED,  /* replica */
	NEWS_CUTOVER,          /* release */
	NEWS_WATCHING,         /* release, ms: how long there is a way back */
	NEWS_BACK,             /* previous -> release, which serves again; text: why */
	NEWS_DRAINING,         /* release, count: requests in flight */
	NEWS_DRAIN_LATE,       /* release, count, text: who holds it up */
	NEWS_DRAINED,          /* release, ms */
	NEWS_RESCUE,           /* lane: a connection waits there and nobody takes it */
	NEWS_LANE_LOST,        /* lane: a process of PHP shut its socket down; text: what follows */
	NEWS_RESCUED,          /* lane, ms */
	NEWS_ROLL_DONE,        /* release, count: replicas, ms, cut */
	NEWS_ROLL_REFUSED,     /* text */
	NEWS_ROLL_FAILED,      /* text; release: what serves on */
	NEWS_ROLL_TAKEN_BACK,  /* release: what serves again; text: why, ms, cut */
	NEWS_SESSIONS_LOST,    /* text */
	NEWS_SESSIONS_BACK,    /* text: where */
	NEWS_SESSIONS_DOUBT,   /* text: a warning */
	NEWS_STOPPING,         /* ms: the most it may take */
	NEWS_COUNT,
};

struct news {
	enum news_kind kind;
	char app[NAME_SIZE]; /* empty: the container */
	uint32_t replica;    /* from 1 */
	uint32_t lane;
	uint32_t ms;
	uint32_t count;
	uint32_t cut; /* requests that did not get their answer */
	char release[64];
	char previous[64];
	char text[512];
};

/* Stable name for machines: "roll-started".  Never NULL. */
const char *news_name(enum news_kind kind);

/* How it is logged. */
enum log_level news_level(enum news_kind kind);

/* False for what is worth watching, not worth keeping: that a replica starts or stops. */
bool news_is_logged(enum news_kind kind);

/* One line for people, without newline. */
void news_text(const struct news *news, struct text *line);
