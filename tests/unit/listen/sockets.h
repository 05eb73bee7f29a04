/* sockets.h - visitors for the sockets of listen/: they connect, and whoever listens takes them. */
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../util/forked.h"
#include "listen/address.h"
#include "util/cleanup.h"

enum { PATIENCE_MS = 2000 };

/* A port on which nobody listens now: the kernel chose it. */
static inline unsigned free_port(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	socklen_t size = sizeof(any);
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&any, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&any, &size) < 0)
		return 0;
	return ntohs(any.sin6_port);
}

/* "127.0.0.1:%u" and the like with a free port. */
static inline struct address free_address(const char *format)
{
	struct address address = { 0 };
	char text[64];

	snprintf(text, sizeof(text), format, free_port());
	if (address_parse(text, &address) < 0)
		abort();
	return address;
}

/* A connection that is under way or there.  It leaves no TIME_WAIT behind. */
static inline int visit(const struct sockaddr *to, socklen_t length)
{
	const struct linger at_once = { .l_onoff = 1 };
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	if (connect(fd, to, length) < 0 && errno != EINPROGRESS) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

static inline int visit_address(const struct address *address)
{
	return visit((const struct sockaddr *)&address->sockaddr, address->length);
}

static inline bool is_ready(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, timeout_ms) == 1;
}

/* What came of a connection: 0, or -errno; -EAGAIN: nothing, for now. */
static inline int outcome(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (fd < 0)
		return fd;
	if (!is_ready(fd, POLLOUT, 0))
		return -EAGAIN;
	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return -error;
}
