/* passing.h - messages on a Unix socket that may bring a descriptor along. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "util/macros.h"

/*
 * Send @size @bytes as one message, with @fd, which the receiver gets a copy of (FD_NONE: none).
 * @flags as for sendmsg(2).  Returns what sendmsg(2) does.
 */
MUST_CHECK ssize_t passing_send(int socket, const void *bytes, size_t size, int fd, int flags);

/*
 * Receive a message into @bytes.  *@fd is the descriptor that came along, close-on-exec and the
 * caller's; it is not touched when none did; of several only the first arrives.  It may come with
 * an empty message too.  @flags and result as for recvmsg(2).
 */
MUST_CHECK ssize_t passing_receive(int socket, void *bytes, size_t size, int *fd, int flags);
