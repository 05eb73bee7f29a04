/* run_dir.h - where sockets and small files of a running twinit live. */
#pragma once

#include "init/state.h"

/*
 * Make the run directory (config->run_dir, or one of its fall-backs where that cannot be written
 * and the operator named none) and what belongs in it:
 *
 *     control       the control socket, mode 0600
 *     private/      status and probe sockets of the masters; only we and our helpers get in
 *     pin/          files that path isolation prepends; readable for PHP
 *     pid/          pid files, where the operator's FPM configuration has one: any pool's user
 *                   may make a file there and remove his own, as in /tmp
 *
 * Returns 0 and fills the supervisor's run_* fields, or -errno after having said why.
 */
MUST_CHECK int run_dir_open(struct supervisor *supervisor);
