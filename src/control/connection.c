#include "control/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/fs.h"
#include "util/text.h"

int connection_open(const char *run_dir, const struct wire_request *asked)
{
	struct wire_request request = *asked;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char path[FD_PATH_SIZE];
	_cleanup_close_ int dir = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return -errno;
	request.magic = WIRE_MAGIC;
	request.size = sizeof(request);
	path_in_fd(dir, WIRE_SOCKET, path);
	memcpy(un.sun_path, path, strlen(path) + 1);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return -errno;
	if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) != (ssize_t)sizeof(request))
		return -errno;
	return TAKE_FD(fd);
}

int connection_receive(int fd, struct wire_reply *reply, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r = poll(&p, 1, timeout_ms);

	if (r <= 0)
		return r == 0 ? -ETIMEDOUT : -errno;
	memset(reply, 0, sizeof(*reply));
	ssize_t n = recv(fd, reply, sizeof(*reply), MSG_TRUNC);
	if (n <= 0)
		return n == 0 ? -ECONNRESET : -errno;
	if ((size_t)n < offsetof(struct wire_reply, news) || reply->magic != WIRE_MAGIC ||
	    reply->kind >= WIRE_KIND_COUNT || (size_t)n != wire_reply_size(reply->kind))
		return -EPROTO;
	return 0;
}
