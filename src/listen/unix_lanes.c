#include "listen/unix_lanes.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/cleanup.h"

static int temporary(const struct address *address, unsigned lane, struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int n = snprintf(un->sun_path, sizeof(un->sun_path), "%s.%c", address_path(address),
	                 lane_letter(lane));

	return n < 0 || (size_t)n >= sizeof(un->sun_path) ? -ENAMETOOLONG : 0;
}

static int find_stranger(const struct address *address)
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
static int clear_name(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	return unlink(path) < 0 ? -errno : 0;
}

/* Owner, mode and backlog are the creator's job; FPM does nothing to a socket it inherits. */
static int dress(const struct address *address, const char *path, int fd)
{
	/* While it is ours: changing another's mode needs CAP_FOWNER. */
	if (chmod(path, address->mode) < 0)
		return -errno;
	/* Without CAP_CHOWN we can only make sockets for ourselves; then that is what is asked. */
	if ((address->owner != geteuid() || address->group != getegid()) &&
	    lchown(path, address->owner, address->group) < 0)
		return -errno;
	return listen(fd, address_backlog(address)) < 0 ? -errno : 0;
}

int unix_lanes_prepare(struct lanes *lanes, unsigned lane)
{
	const struct address *address = &lanes->address;
	struct sockaddr_un un;
	int r = temporary(address, lane, &un);

	if (r >= 0)
		r = clear_name(un.sun_path);
	if (r < 0)
		return r;
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		return -errno;
	r = dress(address, un.sun_path, fd);
	if (r < 0) {
		(void)unlink(un.sun_path);
		return r;
	}
	fd_close(&lanes->fds[lane]);
	lanes->fds[lane] = TAKE_FD(fd);
	return 0;
}

int unix_lanes_cutover(struct lanes *lanes, unsigned lane)
{
	struct sockaddr_un un;
	struct stat st;
	int r = temporary(&lanes->address, lane, &un);

	if (r < 0)
		return r;
	if (lstat(un.sun_path, &st) < 0 || rename(un.sun_path, address_path(&lanes->address)) < 0)
		return -errno;
	lanes->published = st.st_ino;
	return 0;
}

/* The public path is about to be given to another socket. */
int unix_lanes_keep(const struct lanes *lanes)
{
	struct sockaddr_un un;
	int r = temporary(&lanes->address, lanes->active, &un);

	if (r >= 0)
		r = clear_name(un.sun_path);
	if (r >= 0 && link(address_path(&lanes->address), un.sun_path) < 0)
		r = -errno;
	return r;
}

int unix_lanes_open(struct lanes *lanes)
{
	int r = find_stranger(&lanes->address);

	lanes->steered = true;
	if (r >= 0)
		r = unix_lanes_prepare(lanes, 0);
	if (r >= 0)
		r = unix_lanes_cutover(lanes, 0);
	return r;
}

void unix_lanes_unpublish(struct lanes *lanes)
{
	const char *path = address_path(&lanes->address);
	struct sockaddr_un un;
	struct stat st;

	/* Somebody else may have put his socket there meanwhile. */
	if (lanes->published != 0 && lstat(path, &st) == 0 && st.st_ino == lanes->published)
		(void)unlink(path);
	lanes->published = 0;
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		if (lanes->fds[lane] >= 0 && temporary(&lanes->address, lane, &un) >= 0)
			(void)unlink(un.sun_path);
}

static int reach(const struct lanes *lanes, unsigned lane)
{
	struct sockaddr_un un;
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = temporary(&lanes->address, lane, &un);

	if (r < 0)
		return r;
	if (fd < 0 || connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int unix_lanes_reach(const struct lanes *lanes, unsigned lane, int fds[], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		fds[i] = reach(lanes, lane);
		if (fds[i] < 0)
			return i > 0 ? (int)i : fds[i];
	}
	return (int)count;
}

void unix_lanes_forget(const struct lanes *lanes, unsigned lane)
{
	struct sockaddr_un un;

	if (lane != lanes->active && temporary(&lanes->address, lane, &un) >= 0)
		(void)unlink(un.sun_path);
}
