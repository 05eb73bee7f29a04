/*
 * settings.h - read an app's FPM configuration by FPM's own parser, and write what its replicas are
 * started with.
 *
 * Everything that may hold a secret (env[], php_value, session.save_path) goes from the helper into
 * memfds, which PID 1 passes on and never reads.
 */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "confine/caps.h"
#include "confine/filter.h"
#include "confine/identity.h"
#include "confine/rlimits.h"
#include "fpm/settings.h"
#include "release/pin.h"
#include "release/release.h"
#include "rollout/room.h"
#include "util/fs.h"

enum {
	/* One overlay a replica, and one for a rescue master. */
	OVERLAY_RESCUE = REPLICAS_MAX,
	OVERLAYS_MAX = REPLICAS_MAX + 1,
	SETTINGS_WHY_SIZE = 512,
};

struct settings_query {
	const struct app_config *app;
	pid_t masters[REPLICAS_MAX]; /* the active ones, to see what a replica uses */
	size_t master_count;
	bool read_again;         /* the app's configuration may have changed since */
	const char *config_file; /* where, as config_load() takes it */
	const char *secrets;     /* see secrets_load() */
	enum pin pin;
	const char *run_dir;                  /* absolute */
	unsigned generation;                  /* part of the names of files made for it */
	int overlays[OVERLAYS_MAX];           /* empty memfds to write to */
	int program;                          /* an empty memfd for a copy of php-fpm */
	const struct settings_answer *active; /* of the active release; NULL: there is none */
	bool active_copied;                   /* it has a copy of php-fpm */
	int sources; /* an empty memfd for an array of struct session_source */
	int pin_fd;  /* the directory for prepended files */
};

/* What a root master needs to become its workers' users, and to stop them when they are. */
#define PRIVILEGES_LEAST (CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_KILL))

/* The most that a master keeps, which is root because its pools need it. */
#define PRIVILEGES_MOST                                                                            \
	(PRIVILEGES_LEAST | CAP_BIT(CAP_SYS_CHROOT) | CAP_BIT(CAP_SYS_PTRACE) |                    \
	 CAP_BIT(CAP_SYS_NICE))

/* Who a unix socket shall belong to. */
struct socket_owner {
	uid_t uid;
	gid_t gid;
};

struct settings_answer {
	bool ok;
	char why[SETTINGS_WHY_SIZE]; /* one sentence when it is not; FPM's own, with file and line
	                              */
	struct room room;            /* what the container's limits leave */
	struct app_config app;       /* as the configuration is now */
	char release[RELEASE_PATH_SIZE]; /* what the link names; its descriptor comes along */
	char php_fpm[CONFIG_PATH_SIZE];
	char fpm_config[CONFIG_PATH_SIZE]; /* what was read: as app says, or where -i found it */
	struct file_stamp program;         /* of php_fpm */
	bool copied; /* query->program is php_fpm, and settings_program_link() leads there */
	bool copied_earlier; /* so is the active release's copy, and query->program is empty */
	char preload[CONFIG_PATH_SIZE]; /* opcache.preload by its real path; empty: as php.ini has
	                                   it */
	struct socket_owner owners[POOLS_MAX];
	struct identity
		identity; /* of masters; root only where pools have several users or chroot */
	uint64_t caps;    /* that masters keep: none unless they are root */
	struct rlimits rlimits;
	struct filter_needs needs;    /* what the syscall filters have to leave open */
	struct fpm_settings settings; /* listen is numeric */
};

/* Of @answer, what says something: without the room for more pools, half of it as a rule. */
size_t settings_answer_size(const struct settings_answer *answer);

/* A question's run: takes a struct settings_query, answers once. */
void settings_run(const void *query, int answer_fd);

/*
 * Is @answer of @size bytes one that PID 1 may use?  The helper has read other programs' output, so
 * its numbers are checked and its strings ended here.
 */
bool settings_answer_check(struct settings_answer *answer, size_t size);

/* The name of the link to the copy of @php_fpm, below run_dir/pin, in this directory. */
#define PROGRAM_DIR "bin"
void settings_program_link(const char *php_fpm, char *to, size_t size);

/* The name of a pool's prepended file, below run_dir/pin. */
void settings_prepend_name(const char *app, unsigned generation, const char *pool, char *to,
                           size_t size);
