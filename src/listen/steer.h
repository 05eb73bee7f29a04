/*
 * steer.h - which socket of a SO_REUSEPORT group gets each new connection, and none at all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"

/*
 * Send every new connection to the socket that is @index-th in the group of @fd, in the order in
 * which they called listen(2).  One classic BPF instruction; needs no privilege (socket(7),
 * SO_ATTACH_REUSEPORT_CBPF).  Takes effect at once for the whole group.  0 or -errno.
 */
MUST_CHECK int steer_to(int fd, unsigned index);

/*
 * The same, but what comes by IPv4 from the address @source (in the byte order of numbers) goes to
 * the @other-th.  0 or -errno.
 */
MUST_CHECK int steer_by_source(int fd, unsigned index, uint32_t source, unsigned other);

/*
 * Make the listener @fd deaf to new handshakes: a socket filter drops bare SYNs, so the client's
 * kernel tries again (elsewhere or later) instead of being refused.  Handshakes that began before
 * complete, and what is queued stays.  0 or -errno.
 */
MUST_CHECK int steer_drop_syn(int fd);

/*
 * Hide the listener @fd from new handshakes where steer_drop_syn() is not allowed (since some
 * kernel before 6.18 a TCP socket's filter needs CAP_NET_ADMIN): it is bound to an interface that
 * does not exist, so that a new SYN does not find it and is refused.  Handshakes that began before
 * complete, and what is queued stays.  Needs no privilege (since Linux 5.7).  0 or -errno.
 */
MUST_CHECK int steer_hide(int fd);
