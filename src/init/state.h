/*
 * state.h - everything PID 1 knows, in one place.
 *
 * The supervisor has apps; an app has public addresses (lanes), generations (a release, and the FPM
 * configuration of that moment) and masters, each of one generation and on one lane.  All of it is
 * made at boot; afterwards nothing is allocated.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "control/server.h"
#include "init/events.h"
#include "init/relay.h"
#include "init/roll_record.h"
#include "init/run_dir.h"
#include "listen/lane.h"
#include "loop/loop.h"
#include "process/helper.h"
#include "process/spawn.h"
#include "question/chain.h"
#include "question/drain.h"
#include "question/isolation.h"
#include "question/settings.h"
#include "release/point.h"
#include "rollout/lifecycle.h"
#include "rollout/rollout.h"
#include "session/store.h"
#include "util/proc.h"

enum {
	/* Each lane has the replicas of one generation, and a rescue master. */
	MASTERS_MAX = LANE_COUNT * (REPLICAS_MAX + 1),
	GENERATIONS_MAX = LANE_COUNT + 1,
	STRAYS_MAX = 64,
	WHY_SIZE = 512,
};

_Static_assert(MASTERS_MAX <= 32, "lane_watch.drain_set has too few bits");

enum exit_status {
	EXIT_STOPPED = 0,
	EXIT_USAGE = 64,
	EXIT_SESSIONS = 69,
	EXIT_CRASHING = 70,
	EXIT_CONFIG = 78,
};

/* What the replicas of one roll have in common. */
struct generation {
	unsigned number; /* 0: a free place */
	struct release release;
	struct settings_answer fpm;
	int overlays[OVERLAYS_MAX]; /* memfds with the configuration of each replica */
	int sources;                /* memfd with struct session_source; never read here */
	int program;                /* memfd with php-fpm, see program_copy() */
	struct relay relay;         /* its own, where a way back is kept: it counts dead workers */
	bool uses_redis;            /* so the preflight of a roll said */
	unsigned lanes_of[POOLS_MAX]; /* pool -> index into app->lanes */
};

/* One FPM master, or the place for one (MASTER_GONE). */
struct master {
	struct app *app;
	enum master_state state;
	enum group group;
	bool rescue;
	unsigned number; /* replica, from 1 */
	unsigned lane;
	struct generation *generation;
	struct child child;
	int config_fd;            /* its copy of the configuration, until it has read it */
	struct deadline deadline; /* the one that its state arms */
	struct helper trial;
	struct deadline trial_again; /* starts another helper */
	unsigned retrials;
	unsigned serial; /* of its private sockets */
	unsigned starts;
	unsigned crashes;  /* in a row */
	unsigned failures; /* all that it came back from */
	uint64_t spawned_ms;
	uint64_t ready_ms;   /* 0: not yet */
	char why[256];       /* why it failed last */
	char failure[256];   /* the same, kept when it is started again */
	uint64_t warm_set;   /* pages of `warm` that did well in it, see question/trial.h */
	char trial_said[64]; /* ", health 200, warm 6 of 6" */
};

/* A listening socket of a lane. */
struct lane_listener {
	struct event_source source;
	struct lane_watch *watch;
};

/* One lane of all addresses of an app: who finishes there, and who comes late. */
struct lane_watch {
	struct app *app;
	unsigned lane;
	struct helper drain;
	struct helper yield;
	struct drain_answer seen; /* the last answer of the drain */
	uint32_t drain_set;       /* which masters it looks at: bit i for masters[i] */
	uint64_t drain_since_ms;
	struct deadline again; /* starts another helper */
	bool drain_over;       /* nobody looks any more: its time is over, or its helper died */
	unsigned late;         /* requests that were not done when the drain's time was over */
	bool rescues;          /* abandoned: a connection that arrives gets a rescue master */
	bool watched;
	struct lane_listener listeners[POOLS_MAX];
};

/* The active release is new, and there may be a way back from it. */
struct watch {
	bool lingers;   /* the way back is open */
	bool condemned; /* it is to be gone */
	struct deadline over;
	struct helper vigil; /* asks for its health */
	struct deadline again;
	struct generation *back; /* what was active before */
	unsigned back_lane;
	unsigned deaths_before; /* of workers, before visitors came */
};

enum deploy_step {
	DEPLOY_NONE,
	DEPLOY_POINTING,  /* the link is being moved */
	DEPLOY_ROLLING,   /* the roll that follows */
	DEPLOY_RETURNING, /* the link is being taken back */
};

/* A roll that moves the release symlink itself. */
struct deploy {
	enum deploy_step step;
	bool is_rollback;
	bool asked_back;     /* the same of the one whose link is being moved */
	bool watched;        /* while that is, the one before is watched */
	bool at_once;        /* the roll at hand is to go back, by an operator */
	unsigned generation; /* that was active when the helper was asked */
	struct helper helper;
	struct pointing pointing;
	uint32_t roll;             /* the number of that roll */
	enum roll_outcome outcome; /* of it, to be told when the link is back */
};

struct app {
	struct supervisor *supervisor;
	size_t index;
	struct app_config config; /* of the active generation */
	enum pin pin;
	char pin_why[WHY_SIZE];

	unsigned lanes_count; /* public addresses; 0 until they are open */
	struct lanes lanes[POOLS_MAX];
	struct lane_watch watches[LANE_COUNT];
	unsigned lane;       /* the active one */
	unsigned build_lane; /* the one that the roll at hand builds on */
	bool steered;        /* a roll builds on a lane of its own */

	struct generation generations[GENERATIONS_MAX];
	struct generation *active;
	struct generation *candidate; /* of the preflight or roll at hand */
	unsigned generation_count;

	struct master masters[MASTERS_MAX];

	struct rollout rollout;
	struct helper preflight; /* isolation at boot, then settings */
	enum answer preflight_answer;
	struct helper chain; /* asks the candidates, or at boot the replicas, see chain.h */
	struct deadline chain_again;
	struct helper chain_look;   /* the same for a client who asks now */
	bool chain_failed;          /* what came of that */
	enum answer proof;          /* what came of it */
	struct helper prime;        /* warms up the candidates' workers meanwhile */
	enum answer primed;         /* ANSWER_YES: that is over */
	struct deadline lane_limit; /* for ROLL_LANE */
	struct deadline lost_again; /* armed: the lost lane cannot be left yet */
	unsigned lost_tries;        /* in a row, to leave it */
	struct deadline drain_long_at;
	bool drain_long; /* the roll at hand has drained for longer than the next one should wait */
	bool force;      /* drains get no time */
	bool lane_late;
	uint32_t rolls_begun;
	uint32_t rolls_ended;
	uint64_t roll_began_ms;
	uint32_t cut; /* requests that the roll at hand cut off */
	enum roll_outcome last_outcome;
	struct roll_record rolls;
	uint64_t crashes;   /* masters that failed or died by themselves, of all times */
	char why[WHY_SIZE]; /* why the last preflight or roll failed */

	struct helper publisher;
	const struct generation *publishing; /* NULL: nothing at the moment */
	enum answer published;               /* is the candidate? */
	char publish_why[128]; /* why the active release is not published; empty: it is */

	struct watch watch;
	struct deploy deploy;
	char previous[RELEASE_PATH_SIZE]; /* the release before the active one; empty: not known */

	uint32_t stopped;    /* replicas that somebody stopped: bit i for number i + 1 */
	uint32_t leaving;    /* those of them that are on their way out */
	uint32_t restarting; /* those of them that are to be started again */

	struct helper stores;
	struct deadline stores_next;
	struct store_report store; /* the last answer */
	int findings;              /* memfd of all findings in it, never read here; or FD_NONE */
	uint64_t store_at_ms;      /* when it came; 0: never */
	bool store_lost;           /* said so, not back yet */
	uint64_t release_until_ms; /* workers were killed: until then their locks are looked for */
};

enum boot_step {
	BOOT_ISOLATION,
	BOOT_SETTINGS,
	BOOT_SESSIONS,
	BOOT_MASTERS,
	BOOT_PROOF, /* a session goes from replica to replica */
	BOOT_DONE,
};

enum stop_step {
	STOP_NONE,
	STOP_QUIET, /* still accepting */
	STOP_DRAIN, /* masters finish */
};

/* The process group of a master that died before its workers. */
struct stray {
	pid_t group; /* 0: a free place */
	struct deadline deadline;
	struct supervisor *supervisor;
};

struct supervisor {
	struct loop loop;
	struct inheritance inheritance;
	uint64_t caps; /* that we have, see confine/caps.h */
	struct proc_confinement
		confinement; /* our own, to tell an FPM tree's processes from others */
	struct event_source signals;
	const struct config *config; /* as it was at the start; each app has its own of today */
	const char *config_file;     /* as config_load() takes it */
	uint64_t started_ms;

	struct run_dir run;
	char script[CONFIG_PATH_SIZE + 32]; /* what PHP runs for the chain, as it sees it */
	struct relay relay;                 /* where masters cannot open our stderr */

	char member_id[MEMBER_ID_SIZE]; /* ours among the tasks that share a session store */

	struct server server;
	struct events events;
	size_t app_count;
	struct app *apps; /* app_count of them */
	struct stray strays[STRAYS_MAX];
	char **environment; /* for masters: ours, two free places and the end */
	size_t environment_count;
	unsigned serial;

	enum boot_step boot;
	struct deadline boot_limit; /* for BOOT_SESSIONS and BOOT_PROOF */
	bool boot_late;
	enum stop_step stop;
	struct deadline stop_next;  /* the end of STOP_QUIET */
	struct deadline stop_limit; /* the end of everything */
	uint64_t stop_at_ms;
	bool cutting; /* no drain: everything ends at once */
	bool look_for_dead;
	struct deadline reap_again;
	bool done;
	int exit_status;
	char stop_why[WHY_SIZE]; /* of a stop that nobody asked for */
	uint64_t reaped;
	uint64_t oom_kills;    /* in our container, as of the last look */
	uint64_t oom_until_ms; /* what dies until then may be one of them */
};
