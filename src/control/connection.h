/* connection.h - a command's end of the control socket. */
#pragma once

#include <sys/types.h>

#include "control/wire.h"
#include "util/macros.h"

/*
 * Connect to the twinit whose run directory is @run_dir and send what is @asked; magic and size are
 * filled in.
 *
 * Returns a descriptor, or -errno: -ENOENT or -ECONNREFUSED when no twinit runs there, -EACCES when
 * it is another user's.
 */
MUST_CHECK int connection_open(const char *run_dir, const struct wire_request *asked);

/*
 * The pid of the twinit at the other end as we see it, where the one that it says itself is of its
 * own PID namespace.  0: not known, or not to be seen from here.
 */
pid_t connection_peer(int fd);

/*
 * Wait for the next reply, at most @timeout_ms (-1: for ever).  Returns 0, -ETIMEDOUT, -ECONNRESET
 * when PID 1 hung up, or -EPROTO.  Texts in *@reply are ended and fit for a terminal, its states,
 * phases and lanes exist; a findings_fd in it is the caller's.
 */
MUST_CHECK int connection_receive(int fd, struct wire_reply *reply, int timeout_ms);
