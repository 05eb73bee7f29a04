/*
 * peer.h - whom the program connects to: connect() succeeds, and what the other end says stands in
 * the input.  peer_say() is called for each connection and fills its end.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

enum {
	CONNECTIONS_MAX = 64,
	CONNECTION_END = 0xff,
	PIECE_END = 0xfe,
	PIECE_MAX = 4096, /* as much as any of our readers has room for */
};

static int connections[CONNECTIONS_MAX];
static int connection_count;

/* Write to @fd, which does not block, what comes for the connection to @address.  Returns 0, or a
 * positive errno when the connection does not come about. */
static int peer_say(int fd, const struct sockaddr *address);

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	int pair[2], flags = fcntl(fd, F_GETFL);

	assert(length >= sizeof(address->sa_family));
	if (connection_count == CONNECTIONS_MAX) {
		errno = ECONNREFUSED;
		return -1;
	}
	/* Of a stream, too, the program gets one piece at a time: after its question, say. */
	assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	connections[connection_count++] = pair[1];
	int error = peer_say(pair[1], address);
	assert(shutdown(pair[1], SHUT_WR) == 0);
	assert(fcntl(pair[0], F_SETFL, flags) == 0 && dup3(pair[0], fd, O_CLOEXEC) == fd);
	(void)close(pair[0]);
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

/*
 * Send what stands in @part, cut in pieces at each PIECE_END.  More than a socket holds is lost, as
 * when the other end dies.
 */
static inline void peer_send(int fd, struct input part)
{
	while (input_size(&part) > 0) {
		struct input piece = input_until(&part, PIECE_END);

		for (size_t size; (size = input_size(&piece)) > 0; piece.at += size) {
			size = size < PIECE_MAX ? size : PIECE_MAX;
			(void)!send(fd, piece.at, size, MSG_NOSIGNAL);
		}
	}
}

/* What the program has sent stays unread.  Call it when an input is done. */
static inline void peers_leave(void)
{
	while (connection_count > 0)
		(void)close(connections[--connection_count]);
}
