/*
 * config.h - what the operator can set, as plain data with its defaults.
 *
 * Sources, later ones win: the defaults below, the file (INI), the environment.  The README
 * describes each key for the operator.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	APPS_MAX = 16,
	REPLICAS_MAX = 4,
	NAME_SIZE = 64,
	CONFIG_PATH_SIZE = 1024,
	CONFIG_LIST_SIZE = 2048, /* a list of scripts, separated by blanks */
};

enum isolation {
	ISOLATION_AUTO,
	ISOLATION_NAMESPACE, /* the release symlink is the replica's own, by a mount namespace */
	ISOLATION_PATH,      /* PHP is given real paths; no mount */
	ISOLATION_NONE,
};

enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
};

enum verify {
	VERIFY_AUTO, /* required where a pool's session handler is redis or rediscluster */
	VERIFY_REQUIRED,
	VERIFY_REPORT,
	VERIFY_OFF,
};

enum fail_health {
	FAIL_HEALTH_BOOT, /* a lost store is degraded, not unhealthy */
	FAIL_HEALTH_ALWAYS,
	FAIL_HEALTH_NEVER,
};

enum confine {
	CONFINE_STANDARD, /* a list of what is denied; one of what is allowed if the container has
	                   * none
	                   */
	CONFINE_STRICT,   /* both, and the second one is shorter */
	CONFINE_OFF,      /* no syscall filter */
};

enum workers {
	WORKERS_SPLIT, /* the pool's workers are divided over the replicas */
	WORKERS_FULL,  /* each replica gets the whole pool */
};

struct session_config {
	enum verify verify;
	enum fail_health fail_health;
	uint32_t wait_ms;        /* how long the boot waits for the store */
	uint32_t every_ms;       /* how often the store is asked afterwards */
	char service[NAME_SIZE]; /* "tasks.<service>" are all tasks; empty: not known */
};

struct app_config {
	char name[NAME_SIZE];
	char php_fpm[CONFIG_PATH_SIZE];    /* a path, or a name to look for in PATH */
	char fpm_config[CONFIG_PATH_SIZE]; /* empty: the binary's own */
	unsigned replicas;                 /* 1 to REPLICAS_MAX */
	unsigned surge;                    /* 0 to replicas; SURGE_DEFAULT: replicas */
	enum workers workers;
	enum confine confine;
	char release[CONFIG_PATH_SIZE]; /* the symlink a deployer moves; empty: code in the image */
	char docroot[CONFIG_PATH_SIZE]; /* below the release; absolute without one */
	bool docroot_set;               /* said by the operator, which isolation = path asks for */
	bool read_only;
	char publish[CONFIG_PATH_SIZE];
	char health[CONFIG_PATH_SIZE]; /* like SCRIPT_NAME, with a query if need be; empty: none */
	char warm[CONFIG_LIST_SIZE];   /* the same, several of them */
	uint32_t start_timeout_ms;
	uint32_t drain_timeout_ms;
	uint32_t linger_ms;
	uint32_t quiet_ms;
	uint32_t stop_timeout_ms;
};

#define SURGE_DEFAULT UINT32_MAX

struct config {
	char file[CONFIG_PATH_SIZE]; /* where it was read from; empty: no file */
	char run_dir[CONFIG_PATH_SIZE];
	bool run_dir_set; /* said by the operator: no fall-back to another directory */
	enum isolation isolation;
	char secrets[CONFIG_LIST_SIZE];
	enum log_format log_format;
	char on_event[CONFIG_PATH_SIZE]; /* a path and arguments, separated by blanks */
	int on_event_line;               /* of the file; 0: said by the environment */
	struct session_config sessions;
	size_t app_count; /* at least 1 after config_load() */
	struct app_config apps[APPS_MAX];
};

/* The words of an enum as the operator writes them, in its order; NULL ends the list. */
extern const char *const isolation_words[];
extern const char *const verify_words[];

/* Has it a health script or pages to warm up? */
bool config_has_pages(const struct app_config *app);

/* Below what PHP finds its scripts: the docroot of the release, as its symlink names it. */
void config_site_root(const struct app_config *app, char *to, size_t size);

/* Words as the operator writes them.  Never NULL. */
const char *isolation_name(enum isolation isolation);
const char *verify_name(enum verify verify);
