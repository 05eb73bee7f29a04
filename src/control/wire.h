/*
 * wire.h - what a command and PID 1 say to each other: messages of fixed size on a
 * SOCK_SEQPACKET socket, which keeps their boundaries.  Both ends are the same binary.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "control/news.h"
#include "fpm/settings.h"
#include "rollout/rollout.h"

#define WIRE_SOCKET "control"

enum { WIRE_MAGIC = 0x7477696e /* "twin" */ };

enum wire_command {
	COMMAND_STATUS,   /* container, apps, replicas, pools, sessions, end */
	COMMAND_RESTART,  /* rolls, or replaces one replica; news as it happens, end */
	COMMAND_STOP,     /* the container, or replicas; end, when that has begun, or news, end */
	COMMAND_SESSIONS, /* asks the stores now; sessions, end */
	COMMAND_START,    /* replicas that were stopped; news, end */
	COMMAND_DEPLOY,   /* points the release symlink at a directory and rolls; news, end */
	COMMAND_ROLLBACK, /* back to the release before; news, end */
	WIRE_COMMAND_COUNT,
};

struct wire_request {
	uint32_t magic;
	uint32_t size; /* of this structure: another binary's differs */
	uint32_t command;
	/* Yes or no; no bool, which may not come from outside as anything but 0 and 1. */
	uint8_t force;       /* a roll's drains get no time; the last replica may be stopped, too */
	uint8_t no_wait;     /* end when it has begun */
	uint8_t all;         /* COMMAND_STOP: the replicas of all apps, not the container */
	uint8_t pools;       /* COMMAND_STATUS: the pools, too */
	uint32_t replica;    /* from 1; 0: all */
	char app[NAME_SIZE]; /* empty: all */
	char directory[CONFIG_PATH_SIZE]; /* COMMAND_DEPLOY */
};

/* Does this COMMAND_STOP mean the container, not replicas? */
bool wire_stops_container(const struct wire_request *request);

enum wire_kind {
	WIRE_NEWS,
	WIRE_CONTAINER,
	WIRE_APP,
	WIRE_REPLICA,
	WIRE_SESSIONS,
	WIRE_END,
	WIRE_POOL,
	WIRE_KIND_COUNT,
};

enum container_phase {
	CONTAINER_BOOTING,
	CONTAINER_RUNNING,
	CONTAINER_STOPPING,
	CONTAINER_PHASE_COUNT,
};

struct wire_container {
	char version[32];
	uint32_t pid;
	uint32_t phase;
	uint64_t uptime_ms;
	uint64_t reaped;  /* processes: masters, helpers and orphans */
	uint8_t healthy;  /* yes or no, as in the request */
	uint8_t degraded; /* serves, but something is lost */
	char why[512];    /* one sentence when unhealthy or degraded */
};

struct wire_app {
	char name[NAME_SIZE];
	uint32_t replicas;
	uint32_t ready;   /* of the active replicas */
	uint32_t stopped; /* of them, by an operator: bit i for replica i + 1 */
	uint32_t lane;
	uint32_t phase;   /* enum roll_phase */
	uint32_t outcome; /* enum roll_outcome of the last roll */
	uint32_t rolls;   /* finished since the start */
	uint32_t rolls_by[ROLL_OUTCOME_COUNT];
	uint64_t last_roll_ms; /* how long it took, and ... */
	uint64_t last_steps_ms[ROLL_PHASE_COUNT];
	uint64_t last_roll_ago_ms;
	uint64_t crashes;   /* starts and lives of masters that ended by themselves, of all times */
	uint32_t busy;      /* requests a drain waits for */
	int32_t busy_pid;   /* one of them; 0: none */
	uint8_t healthy;    /* yes or no, as of the container */
	uint8_t gated;      /* P2 and P3 hold: connections are steered */
	uint64_t linger_ms; /* how long there still is a way back; 0: there is none */
	char previous[1024]; /* path of the release before; empty: not known */
	char release[64];
	char release_path[1024];
	char isolation[64];
	char address[256]; /* the first one */
	uint32_t addresses;
	char outcome_text[512]; /* why the last roll was refused or failed */
	char publish_text[128]; /* why static files are not published */
	char busy_state[32];
};

struct wire_replica {
	char app[NAME_SIZE];
	uint32_t number;
	uint8_t rescue;
	uint32_t group; /* enum group */
	uint32_t state; /* enum master_state */
	uint32_t lane;
	uint32_t pid;
	uint32_t starts;
	uint32_t failures;          /* starts and lives that ended by themselves */
	uint64_t age_ms;            /* since its process was made */
	uint32_t app_index, serial; /* for private_name() */
	uint32_t generation;        /* whose pools it has */
	char release[64];
	char failure[256]; /* how the last of them ended */
};

/* A pool that masters of one generation have. */
struct wire_pool {
	char app[NAME_SIZE];
	uint32_t generation;
	uint32_t number; /* for private_name() */
	char name[POOL_NAME_SIZE];
	char path[SCRIPT_SIZE]; /* what its status socket answers to */
};

struct wire_sessions {
	char app[NAME_SIZE];
	uint32_t state; /* enum store_state */
	uint8_t required;
	uint32_t stores;
	uint32_t members; /* tasks that keep sessions there */
	uint32_t latency_us;
	int32_t findings_fd; /* of session/finding_file.h, beside the message; FD_NONE: none */
	uint64_t age_ms;     /* of the answer */
	char where[320];
	char reason[512];
	char warning[512];
};

struct wire_end {
	int32_t exit_status;
	char text[512]; /* one sentence; empty: nothing to add */
};

struct wire_reply {
	uint32_t magic;
	uint32_t kind;
	union {
		struct news news;
		struct wire_container container;
		struct wire_app app;
		struct wire_replica replica;
		struct wire_pool pool;
		struct wire_sessions sessions;
		struct wire_end end;
	};
};

/* How many bytes of a reply of @kind are sent. */
size_t wire_reply_size(enum wire_kind kind);
