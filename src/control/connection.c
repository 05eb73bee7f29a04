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
#include "util/passing.h"
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

static void end(char *text, size_t size)
{
	text[size - 1] = '\0';
}

static void end_app(struct wire_app *a)
{
	end(a->name, sizeof(a->name));
	end(a->release, sizeof(a->release));
	end(a->release_path, sizeof(a->release_path));
	end(a->isolation, sizeof(a->isolation));
	end(a->address, sizeof(a->address));
	end(a->outcome_text, sizeof(a->outcome_text));
	end(a->previous, sizeof(a->previous));
	end(a->publish_text, sizeof(a->publish_text));
	end(a->busy_state, sizeof(a->busy_state));
}

static void end_sessions(struct wire_sessions *s)
{
	end(s->app, sizeof(s->app));
	end(s->where, sizeof(s->where));
	end(s->reason, sizeof(s->reason));
	end(s->warning, sizeof(s->warning));
}

static void end_news(struct news *n)
{
	end(n->app, sizeof(n->app));
	end(n->release, sizeof(n->release));
	end(n->previous, sizeof(n->previous));
	end(n->text, sizeof(n->text));
}

static void end_texts(struct wire_reply *reply)
{
	switch ((enum wire_kind)reply->kind) {
	case WIRE_NEWS:
		end_news(&reply->news);
		break;
	case WIRE_CONTAINER:
		end(reply->container.version, sizeof(reply->container.version));
		end(reply->container.why, sizeof(reply->container.why));
		break;
	case WIRE_APP:
		end_app(&reply->app);
		break;
	case WIRE_REPLICA:
		end(reply->replica.app, sizeof(reply->replica.app));
		end(reply->replica.release, sizeof(reply->replica.release));
		end(reply->replica.failure, sizeof(reply->replica.failure));
		break;
	case WIRE_SESSIONS:
		end_sessions(&reply->sessions);
		break;
	case WIRE_END:
		end(reply->end.text, sizeof(reply->end.text));
		break;
	case WIRE_KIND_COUNT:
		break;
	}
}

int connection_receive(int fd, struct wire_reply *reply, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r = poll(&p, 1, timeout_ms);

	if (r <= 0)
		return r == 0 ? -ETIMEDOUT : -errno;
	memset(reply, 0, sizeof(*reply));
	_cleanup_close_ int passed = FD_NONE;
	ssize_t n = passing_receive(fd, reply, sizeof(*reply), &passed, MSG_TRUNC);
	if (n <= 0)
		return n == 0 ? -ECONNRESET : -errno;
	if ((size_t)n < offsetof(struct wire_reply, news) || reply->magic != WIRE_MAGIC ||
	    reply->kind >= WIRE_KIND_COUNT || (size_t)n != wire_reply_size(reply->kind))
		return -EPROTO;
	if (reply->kind == WIRE_NEWS && reply->news.kind >= NEWS_COUNT)
		return -EPROTO;
	end_texts(reply);
	if (reply->kind == WIRE_SESSIONS)
		reply->sessions.findings_fd = TAKE_FD(passed);
	return 0;
}
