#include "fcgi/exchange.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgi/fail.h"
#include "fcgi/show.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum {
	PIECE_SIZE = 32 * 1024,
	BEGIN_MAX = 5 * FASTCGI_HEAD_SIZE + FASTCGI_CONTENT_MAX,
};

/* What is to be sent next. */
struct sending {
	uint8_t bytes[BEGIN_MAX];
	size_t at, length;
	uint64_t body_left; /* of a body whose size is known */
	bool last;          /* nothing comes behind these bytes */
};

static bool has_bytes(const struct sending *sending)
{
	return sending->at < sending->length;
}

/* The next piece of the body, or the empty one that ends it. */
static int fill(const struct fcgi_body *body, struct sending *to)
{
	size_t room = body->sized && to->body_left < PIECE_SIZE ? to->body_left : PIECE_SIZE;
	ssize_t n = 0;

	if (room > 0)
		n = read(body->fd, to->bytes + FASTCGI_HEAD_SIZE, room);
	if (n < 0)
		return fcgi_fail(FCGI_NO_INPUT, "cannot read the body from stdin: %s",
		                 strerror(errno));
	if (n == 0 && to->body_left > 0)
		return fcgi_fail(FCGI_NO_INPUT,
		                 "the body on stdin became shorter while it was sent");
	fastcgi_stdin((size_t)n, to->bytes);
	to->at = 0;
	to->length = FASTCGI_HEAD_SIZE + (size_t)n;
	to->body_left -= body->sized ? (uint64_t)n : 0;
	to->last = n == 0;
	return FCGI_WELL;
}

/* Whoever does not want the rest has answered without it, and otherwise its answer is cut. */
static void send_some(int fd, struct sending *sending)
{
	ssize_t n = send(fd, sending->bytes + sending->at, sending->length - sending->at,
	                 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0) {
		sending->at += (size_t)n;
	} else if (errno != EAGAIN) {
		sending->at = sending->length;
		sending->last = true;
	}
}

static int receive_some(struct fcgi_exchange *x, struct fcgi_show *show)
{
	uint8_t bytes[PIECE_SIZE];
	ssize_t n = recv(x->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? FCGI_WELL : fcgi_show_cut(show, errno);
	if (n == 0)
		return fcgi_show_cut(show, 0);
	if (x->first_us == 0)
		x->first_us = clock_us();
	return fcgi_show_feed(show, bytes, (size_t)n);
}

/* Wait for whatever is possible next, and do it. */
static int step(struct fcgi_exchange *x, struct sending *sending, struct fcgi_show *show)
{
	bool out = has_bytes(sending), in = !out && !sending->last;
	struct pollfd p[] = {
		{ .fd = x->fd, .events = (short)(POLLIN | (out ? POLLOUT : 0)) },
		{ .fd = in ? x->body.fd : FD_NONE, .events = POLLIN },
	};
	uint64_t now = clock_ms();
	int r = FCGI_WELL;

	if (now >= x->until_ms || poll(p, ARRAY_SIZE(p), (int)(x->until_ms - now)) == 0)
		return fcgi_show_late(show);
	if (p[0].revents & ~POLLOUT)
		r = receive_some(x, show);
	if (r == FCGI_WELL && p[0].revents & POLLOUT)
		send_some(x->fd, sending);
	if (r == FCGI_WELL && p[1].revents)
		r = fill(&x->body, sending);
	return r;
}

static long begin(const struct fcgi_exchange *x, struct sending *to)
{
	const struct fcgi_params *params = x->params;

	to->last = x->body.fd < 0;
	to->body_left = x->body.sized ? x->body.size : 0;
	if (to->last)
		return fastcgi_request(params->list, params->count, NULL, 0, false, to->bytes,
		                       sizeof(to->bytes));
	return fastcgi_begin(params->list, params->count, false, to->bytes, sizeof(to->bytes));
}

int fcgi_exchange_run(struct fcgi_exchange *x)
{
	static struct sending sending;
	static struct fcgi_show show;
	long length = begin(x, &sending);

	if (length < 0)
		return fcgi_fail(FCGI_USAGE, "the parameters have more than 64 KB, which is more "
		                             "than PHP-FPM takes");
	sending.length = (size_t)length;
	fcgi_show_init(&show, x->where, x->headers);
	while (!show.reply.ended) {
		int r = step(x, &sending, &show);

		if (r != FCGI_WELL)
			return r;
	}
	return fcgi_show_end(&show);
}
