/* run_dir.h - where sockets and small files of a running twinit live. */
#pragma once

#include "config/config.h"
#include "release/pin.h"
#include "util/macros.h"

#define RUN_DIR_PIN "pin"

/*
 *     control       the control socket, mode 0600
 *     private/      status and probe sockets of the masters; only we and our helpers get in
 *     pin/          files that path isolation prepends, and names of programs; readable for PHP
 *     pid/          pid files, where the operator's FPM configuration has one: any pool's user
 *                   may make a file there and remove his own, as in /tmp
 */
struct run_dir {
	char path[CONFIG_PATH_SIZE]; /* absolute */
	int refused;                 /* why it is not the configured one: -errno; 0: it is */
	int fd;                      /* locked as long as we live */
	int private_fd, pin_fd;
};

/*
 * Make config->run_dir and what belongs in it, or one of its fall-backs where that cannot be
 * written and the operator named none.
 *
 * Returns 0 and fills *@run; -EWOULDBLOCK when another twinit runs there; or -errno.
 */
MUST_CHECK int run_dir_open(const struct config *config, struct run_dir *run);

/* What of it masters see where they have a mount namespace.  Borrows @run. */
struct pin_cover run_dir_cover(const struct run_dir *run);

/* Log that @run is a fall-back, if it is one. */
void run_dir_say(const struct config *config, const struct run_dir *run);

/* Log what @error, which run_dir_open() returned, means and what to do. */
void run_dir_complain(const struct config *config, int error);
