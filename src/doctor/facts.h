/*
 * facts.h - what was seen of a container and its apps, for the rules of doctor.h: plain data of
 * fixed size, without secrets.
 *
 * A limit that is not there is UINT64_MAX.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"
#include "fpm/scripts.h"
#include "fpm/settings.h"
#include "release/pin.h"
#include "rollout/room.h"
#include "session/finding.h"

enum { FACTS_WHY_SIZE = 512 };

/* The container, as this process sees it. */
struct host_facts {
	char kernel[65]; /* "6.1.0-18-amd64" */
	unsigned kernel_major, kernel_minor;
	int steering; /* 0: the kernel steers, -ENOSYS: it does not, else why it was not tried */
	uid_t uid;
	bool twinit_known;  /* a twinit runs here, */
	uid_t twinit_uid;   /* as whom */
	uint64_t caps;      /* effective */
	bool seccomp;       /* lives under a filter */
	char apparmor[128]; /* its profile; empty: none */
	uint64_t somaxconn; /* 0: not known */
	uint64_t pid_max;
	uint64_t pids_left;
	uint64_t memory_limit;
	uint64_t open_files; /* the hard limit */
};

/* The twinit that runs here, as it answered. */
struct twinit_facts {
	bool running;
	bool elsewhere; /* in another PID namespace: not what is looked at here */
	char version[32];
	uint32_t pid;
	bool healthy, degraded;
	char why[FACTS_WHY_SIZE];
};

struct release_facts {
	bool known; /* it was looked at in time */
	bool ok;    /* the link leads to a directory */
	char why[FACTS_WHY_SIZE];
	char path[CONFIG_PATH_SIZE];
	bool empty;
	bool docroot; /* the docroot is a directory in there */
};

struct isolation_facts {
	bool known;
	bool ok;
	enum pin pin;
	char why[FACTS_WHY_SIZE];
};

/* What the PHP of one pool is told. */
struct pool_facts {
	bool clear_env;
	uint64_t memory_limit; /* of a request */
};

struct php_facts {
	bool ok; /* FPM and its configuration could be read; the rest is filled */
	char why[FACTS_WHY_SIZE];
	char binary[CONFIG_PATH_SIZE];
	char version[32];
	char sapi[64];
	unsigned version_id; /* 802 for 8.2 */
	bool opcache;        /* loaded and on */
	bool opcache_read;   /* PHP starts with it; if not: */
	char opcache_why[FACTS_WHY_SIZE];
	bool validate_timestamps;
	bool reset_restricted; /* not every script may call opcache_reset() */
	bool apcu;
	uint64_t opcache_memory;
	char file_cache[CONFIG_PATH_SIZE];
	unsigned control_timeout_s;
	struct fpm_settings settings;
	struct pool_facts pools[POOLS_MAX];
};

/* What web servers do, as FPM's status pages show it. */
struct traffic_facts {
	bool known;
	unsigned workers;           /* that are there */
	unsigned kept;              /* that wait for a next request on a connection */
	struct fpm_scripts scripts; /* asked for, by the release symlink or not */
};

struct session_facts {
	bool known;
	bool required; /* verify = required */
	bool uses_redis;
	struct findings findings;
};

struct app_facts {
	struct app_config config;
	struct release_facts release;
	struct isolation_facts isolation;
	struct php_facts php;
	struct room room; /* as measured; each: 0 when no replica runs */
	struct traffic_facts traffic;
	struct session_facts sessions;
};
