#include "listen/lane.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "listen/steer.h"
#include "util/cleanup.h"

/* 127.66.83.1: no packet from elsewhere may have such a source (RFC 1122). */
#define OWN_SOURCE UINT32_C(0x7f425301)

void lanes_init(struct lanes *lanes)
{
	*lanes = (struct lanes){ 0 };
	lanes->gate = FD_NONE;
	for (unsigned i = 0; i < LANE_COUNT; i++)
		lanes->fds[i] = FD_NONE;
}

static int set_flag(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int backlog_of(const struct address *address)
{
	/* The kernel lowers what is above net.core.somaxconn (listen(2)). */
	return address->backlog > 0 ? address->backlog : INT_MAX;
}

/* --- TCP --- */

static int tcp_bind(const struct address *address, bool shared, int *fd)
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
static int tcp_find_stranger(const struct address *address)
{
	_cleanup_close_ int fd = FD_NONE;

	return tcp_bind(address, false, &fd);
}

static int tcp_bind_all(struct lanes *lanes)
{
	int r = tcp_bind(&lanes->address, true, &lanes->gate);

	for (unsigned i = 0; r >= 0 && i < LANE_COUNT; i++)
		r = tcp_bind(&lanes->address, true, &lanes->fds[i]);
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

/* Which of the group a lane is: members are counted in the order of listen(2). */
static unsigned member(const struct lanes *lanes, unsigned lane)
{
	return gate_is_first(lanes) ? 1 + lane : lane;
}

static int tcp_listen(const struct lanes *lanes, int fd)
{
	return listen(fd, backlog_of(&lanes->address)) < 0 ? -errno : 0;
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

static int tcp_listen_all(struct lanes *lanes)
{
	int r = gate_is_first(lanes) ? tcp_listen(lanes, lanes->gate) : 0;

	for (unsigned i = 0; r >= 0 && i < LANE_COUNT; i++)
		r = tcp_listen(lanes, lanes->fds[i]);
	if (r >= 0 && !gate_is_first(lanes))
		r = tcp_listen(lanes, lanes->gate);
	for (unsigned i = 0; r >= 0 && i < LANE_COUNT; i++)
		r = set_flag(lanes->fds[i], SOL_SOCKET, SO_REUSEPORT, 0);
	return r < 0 ? r : turn_away(lanes->gate);
}

static int tcp_listen_alone(struct lanes *lanes)
{
	fd_close(&lanes->gate);
	for (unsigned i = 1; i < LANE_COUNT; i++)
		fd_close(&lanes->fds[i]);
	int r = set_flag(lanes->fds[0], SOL_SOCKET, SO_REUSEPORT, 0);
	return r < 0 ? r : tcp_listen(lanes, lanes->fds[0]);
}

static int tcp_open(struct lanes *lanes)
{
	int r = tcp_find_stranger(&lanes->address);

	if (r >= 0)
		r = tcp_bind_all(lanes);
	if (r < 0)
		return r;
	/* Before anybody listens, so that an idle lane never sees a SYN. */
	int first = gate_is_first(lanes) ? lanes->gate : lanes->fds[0];
	lanes->steered = steer_to(first, member(lanes, 0)) >= 0;
	return lanes->steered ? tcp_listen_all(lanes) : tcp_listen_alone(lanes);
}

/* --- unix --- */

static int unix_temporary(const struct address *address, unsigned lane, struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int n = snprintf(un->sun_path, sizeof(un->sun_path), "%s.%c", address_path(address),
	                 lane_letter(lane));

	return n < 0 || (size_t)n >= sizeof(un->sun_path) ? -ENAMETOOLONG : 0;
}

static int unix_find_stranger(const struct address *address)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address->sockaddr, address->length) == 0 ||
	    errno == EAGAIN)
		return -EADDRINUSE;
	/* A file that is no socket is not ours to replace. */
	if (lstat(address_path(address), &st) == 0 && !S_ISSOCK(st.st_mode))
		return -EEXIST;
	return 0;
}

/* What a twinit that was killed left may go, what is no socket is not ours. */
static int unix_clear_name(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	return unlink(path) < 0 ? -errno : 0;
}

/* Owner, mode and backlog are the creator's job; FPM does nothing to a socket it inherits. */
static int unix_dress(const struct address *address, const char *path, int fd)
{
	/* While it is ours: changing another's mode needs CAP_FOWNER. */
	if (chmod(path, address->mode) < 0)
		return -errno;
	/* Without CAP_CHOWN we can only make sockets for ourselves; then that is what is asked. */
	if ((address->owner != geteuid() || address->group != getegid()) &&
	    lchown(path, address->owner, address->group) < 0)
		return -errno;
	return listen(fd, backlog_of(address)) < 0 ? -errno : 0;
}

static int unix_open_lane(struct lanes *lanes, unsigned lane)
{
	const struct address *address = &lanes->address;
	struct sockaddr_un un;
	int r = unix_temporary(address, lane, &un);

	if (r >= 0)
		r = unix_clear_name(un.sun_path);
	if (r < 0)
		return r;
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		return -errno;
	r = unix_dress(address, un.sun_path, fd);
	if (r < 0) {
		(void)unlink(un.sun_path);
		return r;
	}
	fd_close(&lanes->fds[lane]);
	lanes->fds[lane] = TAKE_FD(fd);
	return 0;
}

static int unix_publish(struct lanes *lanes, unsigned lane)
{
	struct sockaddr_un un;
	struct stat st;
	int r = unix_temporary(&lanes->address, lane, &un);

	if (r < 0)
		return r;
	if (lstat(un.sun_path, &st) < 0 || rename(un.sun_path, address_path(&lanes->address)) < 0)
		return -errno;
	lanes->published = st.st_ino;
	return 0;
}

/* The public path is about to be given to another socket. */
static int unix_keep(const struct lanes *lanes)
{
	struct sockaddr_un un;
	int r = unix_temporary(&lanes->address, lanes->active, &un);

	if (r >= 0)
		r = unix_clear_name(un.sun_path);
	if (r >= 0 && link(address_path(&lanes->address), un.sun_path) < 0)
		r = -errno;
	return r;
}

static int unix_open(struct lanes *lanes)
{
	int r = unix_find_stranger(&lanes->address);

	lanes->steered = true;
	if (r >= 0)
		r = unix_open_lane(lanes, 0);
	if (r >= 0)
		r = unix_publish(lanes, 0);
	return r;
}

static void unix_unpublish(struct lanes *lanes)
{
	const char *path = address_path(&lanes->address);
	struct sockaddr_un un;
	struct stat st;

	/* Somebody else may have put his socket there meanwhile. */
	if (lanes->published != 0 && lstat(path, &st) == 0 && st.st_ino == lanes->published)
		(void)unlink(path);
	lanes->published = 0;
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		if (lanes->fds[lane] >= 0 && unix_temporary(&lanes->address, lane, &un) >= 0)
			(void)unlink(un.sun_path);
}

/* --- both --- */

int lanes_open(struct lanes *lanes, const struct address *address)
{
	int r;

	lanes_init(lanes);
	lanes->address = *address;
	r = address_is_unix(address) ? unix_open(lanes) : tcp_open(lanes);
	if (r < 0)
		lanes_close(lanes);
	return r;
}

void lanes_close(struct lanes *lanes)
{
	if (address_is_unix(&lanes->address))
		unix_unpublish(lanes);
	fd_close(&lanes->gate);
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		fd_close(&lanes->fds[lane]);
}

int lanes_prepare(struct lanes *lanes, unsigned lane)
{
	return address_is_unix(&lanes->address) ? unix_open_lane(lanes, lane) : 0;
}

/* Where IPv4 reaches the address from this machine.  0 or -EAFNOSUPPORT. */
static int tcp_near(const struct address *address, struct sockaddr_in *near)
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

static int tcp_reach(const struct sockaddr_in *near)
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

static int unix_reach(const struct lanes *lanes, unsigned lane)
{
	struct sockaddr_un un;
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = unix_temporary(&lanes->address, lane, &un);

	if (r < 0)
		return r;
	if (fd < 0 || connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int reach_all(struct lanes *lanes, unsigned lane, const struct sockaddr_in *near, int fds[],
                     unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		fds[i] = near ? tcp_reach(near) : unix_reach(lanes, lane);
		if (fds[i] < 0)
			return i > 0 ? (int)i : fds[i];
	}
	return (int)count;
}

int lanes_reach(struct lanes *lanes, unsigned lane, int fds[], unsigned count)
{
	struct sockaddr_in near;
	int r;

	if (address_is_unix(&lanes->address))
		return reach_all(lanes, lane, NULL, fds, count);
	if (!lanes->steered)
		return -EOPNOTSUPP;
	r = tcp_near(&lanes->address, &near);
	if (r >= 0)
		r = steer_by_source(lanes->fds[lane], member(lanes, lanes->active), OWN_SOURCE,
		                    member(lanes, lane));
	if (r < 0)
		return r;
	r = reach_all(lanes, lane, &near, fds, count);
	/* What is not connected by now is steered like everybody else.  Should that fail, it is
	 * only our own connections that are not, and the next cutover mends it. */
	(void)!steer_to(lanes->fds[lane], member(lanes, lanes->active));
	return r;
}

int lanes_keep(struct lanes *lanes)
{
	return address_is_unix(&lanes->address) ? unix_keep(lanes) : 0;
}

void lanes_forget(struct lanes *lanes, unsigned lane)
{
	struct sockaddr_un un;

	if (address_is_unix(&lanes->address) && lane != lanes->active &&
	    unix_temporary(&lanes->address, lane, &un) >= 0)
		(void)unlink(un.sun_path);
}

int lanes_cutover(struct lanes *lanes, unsigned lane)
{
	int r = 0;

	if (lane == lanes->active)
		return 0;
	if (address_is_unix(&lanes->address))
		r = unix_publish(lanes, lane);
	else if (lanes->steered)
		r = steer_to(lanes->fds[lane], member(lanes, lane));
	if (r >= 0)
		lanes->active = lane;
	return r;
}

static int refuse_new(int fd)
{
	return steer_drop_syn(fd) >= 0 ? 0 : steer_hide(fd);
}

int lanes_refuse_new(struct lanes *lanes)
{
	int r = 0;

	if (address_is_unix(&lanes->address)) {
		unix_unpublish(lanes);
		return 0;
	}
	for (unsigned lane = 0; r >= 0 && lane < LANE_COUNT; lane++)
		if (lanes->fds[lane] >= 0)
			r = refuse_new(lanes->fds[lane]);
	/* Last: behind the gate the program decides, without it the first lane that is found. */
	return r < 0 || lanes->gate < 0 ? r : refuse_new(lanes->gate);
}

bool listener_has_queue(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}

bool lane_has_queue(const struct lanes *lanes, unsigned lane)
{
	return lanes->fds[lane] >= 0 && listener_has_queue(lanes->fds[lane]);
}

char lane_letter(unsigned lane)
{
	return (char)('A' + lane);
}
