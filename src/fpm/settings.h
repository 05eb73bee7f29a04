/*
 * settings.h - what PID 1 has to know of an app's FPM configuration: fixed size, no secrets.
 *
 * A helper fills it from `php-fpm -tt` and sends it to PID 1 in one message.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fpm/dump.h"
#include "util/macros.h"

enum {
	POOLS_MAX = 16,
	POOL_NAME_SIZE = 64,
	LISTEN_SIZE = 256,
	USER_NAME_SIZE = 64,
	GROUPS_MAX = 32,
	SCRIPT_SIZE = 128,
};

enum pm {
	PM_STATIC,
	PM_DYNAMIC,
	PM_ONDEMAND,
};

struct fpm_pool {
	char name[POOL_NAME_SIZE];
	char listen[LISTEN_SIZE];          /* as written: "9000", "127.0.0.1:9000", "/run/x.sock" */
	int backlog;                       /* -1: the kernel's limit */
	char user[USER_NAME_SIZE];         /* name or number; empty: none set */
	char group[USER_NAME_SIZE];        /* name or number; empty: the user's own */
	char listen_owner[USER_NAME_SIZE]; /* unix sockets only, as all of listen.* */
	char listen_group[USER_NAME_SIZE];
	mode_t listen_mode; /* 0660 unless set */
	enum pm pm;
	unsigned max_children;
	unsigned start_servers;
	unsigned min_spare_servers;
	unsigned max_spare_servers;
	char status_path[SCRIPT_SIZE]; /* "/" when the pool sets none: what status_listen then uses
	                                */
	bool chrooted;
	bool has_priority; /* process.priority, its own or the global one */
	int priority;
};

struct fpm_settings {
	unsigned pool_count;              /* at least 1 */
	unsigned process_max;             /* of all pools together; 0: no limit */
	uint64_t rlimit_files;            /* the highest that is asked for anywhere; 0: none */
	uint64_t rlimit_core;             /* the same; UINT64_MAX: unlimited */
	struct fpm_pool pools[POOLS_MAX]; /* the last: see settings_answer_size() */
};

/*
 * Pick the settings out of @dump.
 *
 * Returns 0 and fills *@settings, or -EINVAL and one sentence in @why: FPM's own problem when there
 * is one (it names file and line), no pool, too many pools, a pool without listen, a name or an
 * address that is too long or that FPM_SOCKETS cannot carry (a unix path with ',' or '='), a pool
 * whose name begins with "twinit-", which is ours.
 */
MUST_CHECK int fpm_settings_from_dump(const struct fpm_dump *dump, struct fpm_settings *settings,
                                      char *why, size_t why_size);

/*
 * Divide a pool's workers over @replicas: how many replica @index (0-based) gets.  The sum over all
 * replicas is the pool's own number, but each replica gets at least 1; FPM's rules among the
 * numbers (min <= start <= max spare <= children) hold in the result.
 */
struct fpm_pool fpm_pool_share(const struct fpm_pool *pool, unsigned replicas, unsigned index);

/* The same for a whole configuration: its pools, and process.max. */
struct fpm_settings fpm_settings_share(const struct fpm_settings *settings, unsigned replicas,
                                       unsigned index);

const char *pm_name(enum pm pm);
