#include "question/fcgi_client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fs.h"

enum { PARAMS_MAX = 16 };

static int wait_for(int fd, short events, uint64_t until_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t now = clock_ms();

	if (now >= until_ms)
		return -ETIMEDOUT;
	int r = poll(&p, 1, (int)(until_ms - now));
	if (r < 0)
		return -errno;
	return r == 0 ? -ETIMEDOUT : 0;
}

/* A full accept queue makes a blocking connect wait, and SO_SNDTIMEO bounds that (socket(7)). */
int fcgi_connect(const struct sockaddr *address, socklen_t length, uint64_t until_ms, int *fd)
{
	uint64_t now = clock_ms();
	uint64_t left = until_ms > now ? until_ms - now : 1;
	struct timeval limit = { .tv_sec = (time_t)(left / 1000),
		                 .tv_usec = (suseconds_t)(left % 1000 * 1000) };
	_cleanup_close_ int s = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	if (connect(s, address, length) < 0)
		return errno == EAGAIN || errno == EINPROGRESS ? -ETIMEDOUT : -errno;
	*fd = TAKE_FD(s);
	return 0;
}

int fcgi_connect_private(int dir_fd, const char *name, uint64_t until_ms, int *fd)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char path[FD_PATH_SIZE];

	path_in_fd(dir_fd, name, path);
	memcpy(un.sun_path, path, strlen(path) + 1);
	return fcgi_connect((struct sockaddr *)&un, sizeof(un), until_ms, fd);
}

static int receive(int fd, uint64_t until_ms, struct fastcgi_reply *reply)
{
	uint8_t buffer[8192];

	while (!reply->ended) {
		int r = wait_for(fd, POLLIN, until_ms);

		if (r < 0)
			return r;
		ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n == 0)
			return -ECONNRESET;
		r = n > 0 ? fastcgi_reply_feed(reply, buffer, (size_t)n) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static size_t name_params(const struct fcgi_request *request, struct fastcgi_param to[])
{
	const struct fastcgi_param all[] = {
		{ "REQUEST_METHOD", "GET" },
		{ "SERVER_PROTOCOL", "HTTP/1.1" },
		{ "GATEWAY_INTERFACE", "CGI/1.1" },
		{ "SERVER_SOFTWARE", "twinit" },
		{ "SERVER_NAME", "localhost" },
		{ "SERVER_PORT", "80" },
		{ "HTTP_HOST", "localhost" },
		{ "HTTP_USER_AGENT", "twinit" },
		{ "REMOTE_ADDR", "127.0.0.1" },
		{ "SCRIPT_FILENAME", request->file },
		{ "DOCUMENT_ROOT", request->root },
		{ "SCRIPT_NAME", request->name },
		{ "PATH_INFO", request->path_info },
		{ "REQUEST_URI", request->uri },
		{ "QUERY_STRING", request->query ? request->query : "" },
		{ "PHP_ADMIN_VALUE", request->settings },
	};
	size_t count = 0;

	_Static_assert(ARRAY_SIZE(all) <= PARAMS_MAX, "to[] is too small");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].value)
			to[count++] = all[i];
	return count;
}

int fcgi_talk(int fd, const struct fcgi_request *request, bool keep_open, uint64_t until_ms,
              struct fastcgi_reply *reply)
{
	struct fastcgi_param params[PARAMS_MAX];
	uint8_t bytes[8192];
	long size = fastcgi_request(params, name_params(request, params), NULL, 0, keep_open, bytes,
	                            sizeof(bytes));

	if (size < 0)
		return (int)size;
	/* It is shorter than any socket buffer. */
	if (send(fd, bytes, (size_t)size, MSG_NOSIGNAL) != size)
		return -ECONNRESET;
	return receive(fd, until_ms, reply);
}

int fcgi_ask(int dir_fd, const char *name, const struct fcgi_request *request, uint64_t until_ms,
             struct fastcgi_reply *reply)
{
	_cleanup_close_ int fd = FD_NONE;
	int r = fcgi_connect_private(dir_fd, name, until_ms, &fd);

	return r < 0 ? r : fcgi_talk(fd, request, false, until_ms, reply);
}
