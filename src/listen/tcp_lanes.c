#include "listen/tcp_lanes.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "listen/steer.h"
#include "util/cleanup.h"

/* 127.66.83.1: no packet from elsewhere may have such a source (RFC 1122). */
#define OWN_SOURCE UINT32_C(0x7f425301)

enum { TRIAL_MS = 100 };

static int set_flag(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int bind_one(const struct address *address, bool shared, int *fd)
{
	/* Blocking, because FPM's workers wait in accept(2); we never accept. */
	_cleanup_close_ int s = socket(address->sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (s < 0)
		return -errno;
	r = set_flag(s, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r >= 0 && shared)
		r = set_flag(s, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r >= 0 && address->sockaddr.ss_family == AF_INET6)
		r = set_flag(s, IPPROTO_IPV6, IPV6_V6ONLY, address->any ? 0 : 1);
	if (r < 0)
		return r;
	if (bind(s, (const struct sockaddr *)&address->sockaddr, address->length) < 0)
		return -errno;
	*fd = TAKE_FD(s);
	return 0;
}

/*
 * SO_REUSEPORT would let us join a stranger of the same uid without a word, so look for one first:
 * a bind without it fails where anybody listens.
 */
static int find_stranger(const struct address *address)
{
	_cleanup_close_ int fd = FD_NONE;

	return bind_one(address, false, &fd);
}

static int bind_all(struct lanes *lanes)
{
	int r = bind_one(&lanes->address, true, &lanes->gate);

	for (unsigned i = 0; r >= 0 && i < LANE_COUNT; i++)
		r = bind_one(&lanes->address, true, &lanes->fds[i]);
	return r;
}

/*
 * The kernel asks the first socket that it finds on the port whether there is a group; for IPv6
 * that is the one that began to listen first, for IPv4 the last one (__inet_hash()).
 */
static bool gate_is_first(const struct lanes *lanes)
{
	return lanes->address.sockaddr.ss_family == AF_INET6;
}

/* Members of a group are counted in the order of listen(2). */
static void assign_places(struct lanes *lanes)
{
	unsigned first = lanes->gate >= 0 && gate_is_first(lanes) ? 1 : 0;

	for (unsigned i = 0; i < LANE_COUNT; i++)
		lanes->places[i] = first + i;
	lanes->members = LANE_COUNT + (lanes->gate >= 0 ? 1 : 0);
}

static int start_to_listen(const struct lanes *lanes, int fd)
{
	return listen(fd, address_backlog(&lanes->address)) < 0 ? -errno : 0;
}

/* Whoever came while the gate was alone.  In the microseconds before he was refused. */
static int turn_away(int gate)
{
	int fd;

	if (fcntl(gate, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	while ((fd = accept4(gate, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		fd_close(&fd);
	return 0;
}

static int listen_all(struct lanes *lanes)
{
	int r = gate_is_first(lanes) ? start_to_listen(lanes, lanes->gate) : 0;

	for (unsigned i = 0; r >= 0 && i < LANE_COUNT; i++)
		r = start_to_listen(lanes, lanes->fds[i]);
	if (r >= 0 && !gate_is_first(lanes))
		r = start_to_listen(lanes, lanes->gate);
	for (unsigned i = 0; r >= 0 && i < LANE_COUNT; i++)
		r = set_flag(lanes->fds[i], SOL_SOCKET, SO_REUSEPORT, 0);
	return r < 0 ? r : turn_away(lanes->gate);
}

static int listen_alone(struct lanes *lanes)
{
	fd_close(&lanes->gate);
	for (unsigned i = 1; i < LANE_COUNT; i++)
		fd_close(&lanes->fds[i]);
	int r = set_flag(lanes->fds[0], SOL_SOCKET, SO_REUSEPORT, 0);
	return r < 0 ? r : start_to_listen(lanes, lanes->fds[0]);
}

/* All lanes, which are found by the gate. */
static int open_gated(struct lanes *lanes)
{
	int r = bind_all(lanes);

	if (r < 0)
		return r;
	/* Before anybody listens, so that an idle lane never sees a SYN. */
	int first = gate_is_first(lanes) ? lanes->gate : lanes->fds[0];
	assign_places(lanes);
	lanes->steered = steer_to(first, lanes->places[0]) >= 0;
	return lanes->steered ? listen_all(lanes) : listen_alone(lanes);
}

/* All lanes, each of which has the option and finds the group. */
static int open_ungated(struct lanes *lanes)
{
	int r = 0;

	assign_places(lanes);
	for (unsigned lane = 0; r >= 0 && lane < LANE_COUNT; lane++) {
		r = bind_one(&lanes->address, true, &lanes->fds[lane]);
		if (r >= 0 && lane == 0)
			lanes->steered = steer_to(lanes->fds[0], 0) >= 0;
		if (r >= 0 && !lanes->steered)
			return listen_alone(lanes);
		if (r >= 0)
			r = start_to_listen(lanes, lanes->fds[lane]);
	}
	return r;
}

/* --- does the kernel ask the gate? --- */

/* That address with a port that nobody has now. */
static int loopback(const char *text, bool mapped, struct address *address)
{
	_cleanup_close_ int fd = FD_NONE;
	int r = address_parse(text, address);

	/* The port is at the same place for both families (RFC 3493). */
	((struct sockaddr_in *)&address->sockaddr)->sin_port = 0;
	address->any = mapped;
	if (r >= 0)
		r = bind_one(address, false, &fd);
	if (r >= 0 && getsockname(fd, (struct sockaddr *)&address->sockaddr, &address->length) < 0)
		r = -errno;
	return r;
}

/* Does a new connection come to the lane that it is steered to? */
static bool is_led_to(const struct lanes *lanes, unsigned lane)
{
	const struct address *address = &lanes->address;
	_cleanup_close_ int fd =
		socket(address->sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd queue = { .fd = lanes->fds[lane], .events = POLLIN };

	if (fd < 0 || steer_to(lanes->fds[lane], lanes->places[lane]) < 0)
		return false;
	if (connect(fd, (const struct sockaddr *)&address->sockaddr, address->length) < 0 &&
	    errno != EINPROGRESS)
		return false;
	/* Over the loopback it is there by now, but the kernel may have put it off. */
	return poll(&queue, 1, TRIAL_MS) == 1;
}

static bool gate_works_at(const char *text, bool mapped)
{
	struct lanes lanes;
	bool works;

	lanes_init(&lanes);
	works = loopback(text, mapped, &lanes.address) >= 0 && open_gated(&lanes) >= 0 &&
	        lanes.steered;
	for (unsigned lane = 0; works && lane < LANE_COUNT; lane++)
		works = is_led_to(&lanes, lane);
	lanes_close(&lanes);
	return works;
}

/*
 * In which order the kernel finds sockets is nowhere promised, and a gate that is not asked would
 * leave visitors with the first lane that is, whatever we steer.  So it is tried, on the loopback;
 * containers often have it for IPv4 only.
 */
static bool gate_works(int family)
{
	if (family == AF_INET)
		return gate_works_at("127.0.0.1:1", false);
	return gate_works_at("[::1]:1", false) || gate_works_at("[::ffff:127.0.0.1]:1", true);
}

int tcp_lanes_open(struct lanes *lanes)
{
	int r = find_stranger(&lanes->address);

	if (r < 0)
		return r;
	return gate_works(lanes->address.sockaddr.ss_family) ? open_gated(lanes)
	                                                     : open_ungated(lanes);
}

/* --- leading there --- */

/* Where IPv4 reaches the address from this machine.  0 or -EAFNOSUPPORT. */
static int near_address(const struct address *address, struct sockaddr_in *near)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address->sockaddr;

	if (address->sockaddr.ss_family == AF_INET) {
		memcpy(near, &address->sockaddr, sizeof(*near));
		if (near->sin_addr.s_addr == htonl(INADDR_ANY))
			near->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return 0;
	}
	if (!address->any)
		return -EAFNOSUPPORT;
	*near = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = six->sin6_port,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	return 0;
}

static int reach(const struct sockaddr_in *near)
{
	const struct sockaddr_in own = { .sin_family = AF_INET,
		                         .sin_addr.s_addr = htonl(OWN_SOURCE) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0)
		return -errno;
	/* Over the loopback the handshake is over before this returns. */
	if (connect(fd, (const struct sockaddr *)near, sizeof(*near)) < 0 && errno != EINPROGRESS)
		return -errno;
	return TAKE_FD(fd);
}

static int reach_all(const struct sockaddr_in *near, int fds[], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		fds[i] = reach(near);
		if (fds[i] < 0)
			return i > 0 ? (int)i : fds[i];
	}
	return (int)count;
}

int tcp_lanes_reach(const struct lanes *lanes, unsigned lane, int fds[], unsigned count)
{
	struct sockaddr_in near;
	int r;

	if (!lanes->steered)
		return -EOPNOTSUPP;
	r = near_address(&lanes->address, &near);
	if (r >= 0)
		r = steer_by_source(lanes->fds[lane], lanes->places[lanes->active], OWN_SOURCE,
		                    lanes->places[lane]);
	if (r < 0)
		return r;
	r = reach_all(&near, fds, count);
	/* What is not connected by now is steered like everybody else.  Should that fail, it is
	 * only our own connections that are not, and the next cutover mends it. */
	(void)!steer_to(lanes->fds[lane], lanes->places[lanes->active]);
	return r;
}

int tcp_lanes_cutover(const struct lanes *lanes, unsigned lane)
{
	return lanes->steered ? steer_to(lanes->fds[lane], lanes->places[lane]) : 0;
}

/* The last of the group takes the place that was left (reuseport_detach_sock()); it may be the
 * gate. */
int tcp_lanes_lose(struct lanes *lanes, unsigned lane, unsigned other)
{
	if (!lanes->steered)
		return 0;
	lanes->members--;
	for (unsigned i = 0; i < LANE_COUNT; i++)
		if (!lanes->lost[i] && lanes->places[i] == lanes->members)
			lanes->places[i] = lanes->places[lane];
	if (lanes->active == lane) {
		if (other == LANE_COUNT)
			return -EADDRNOTAVAIL;
		lanes->active = other;
	}
	return steer_to(lanes->fds[lanes->active], lanes->places[lanes->active]);
}

static int refuse_new(int fd)
{
	return steer_drop_syn(fd) >= 0 ? 0 : steer_hide(fd);
}

int tcp_lanes_refuse_new(const struct lanes *lanes)
{
	int r = 0;

	for (unsigned lane = 0; r >= 0 && lane < LANE_COUNT; lane++)
		if (lanes->fds[lane] >= 0)
			r = refuse_new(lanes->fds[lane]);
	/* Last: behind the gate the program decides, without it the first lane that is found. */
	return r < 0 || lanes->gate < 0 ? r : refuse_new(lanes->gate);
}
