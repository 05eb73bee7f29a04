#include "control/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "listen/lane.h"
#include "rollout/lifecycle.h"
#include "session/store.h"
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

pid_t connection_peer(int fd)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? 0 : peer.pid;
}

static void tame_app(struct wire_app *a)
{
	text_tame(a->name, sizeof(a->name));
	text_tame(a->release, sizeof(a->release));
	text_tame(a->release_path, sizeof(a->release_path));
	text_tame(a->isolation, sizeof(a->isolation));
	text_tame(a->address, sizeof(a->address));
	text_tame(a->outcome_text, sizeof(a->outcome_text));
	text_tame(a->previous, sizeof(a->previous));
	text_tame(a->publish_text, sizeof(a->publish_text));
	text_tame(a->busy_state, sizeof(a->busy_state));
}

static void tame_sessions(struct wire_sessions *s)
{
	text_tame(s->app, sizeof(s->app));
	text_tame(s->where, sizeof(s->where));
	text_tame(s->reason, sizeof(s->reason));
	text_tame(s->warning, sizeof(s->warning));
}

static void tame_news(struct news *n)
{
	text_tame(n->app, sizeof(n->app));
	text_tame(n->release, sizeof(n->release));
	text_tame(n->previous, sizeof(n->previous));
	text_tame(n->text, sizeof(n->text));
}

static void tame_texts(struct wire_reply *reply)
{
	switch ((enum wire_kind)reply->kind) {
	case WIRE_NEWS:
		tame_news(&reply->news);
		break;
	case WIRE_CONTAINER:
		text_tame(reply->container.version, sizeof(reply->container.version));
		text_tame(reply->container.why, sizeof(reply->container.why));
		break;
	case WIRE_APP:
		tame_app(&reply->app);
		break;
	case WIRE_REPLICA:
		text_tame(reply->replica.app, sizeof(reply->replica.app));
		text_tame(reply->replica.release, sizeof(reply->replica.release));
		text_tame(reply->replica.failure, sizeof(reply->replica.failure));
		break;
	case WIRE_POOL:
		text_tame(reply->pool.app, sizeof(reply->pool.app));
		text_tame(reply->pool.name, sizeof(reply->pool.name));
		text_tame(reply->pool.path, sizeof(reply->pool.path));
		break;
	case WIRE_SESSIONS:
		tame_sessions(&reply->sessions);
		break;
	case WIRE_END:
		text_tame(reply->end.text, sizeof(reply->end.text));
		break;
	case WIRE_KIND_COUNT:
		break;
	}
}

/* Numbers that stand for a name are taken for what they are by whoever shows them. */
static bool is_known(const struct wire_reply *reply)
{
	switch ((enum wire_kind)reply->kind) {
	case WIRE_NEWS:
		return reply->news.kind < NEWS_COUNT && reply->news.lane < LANE_COUNT;
	case WIRE_CONTAINER:
		return reply->container.phase < CONTAINER_PHASE_COUNT;
	case WIRE_APP:
		return reply->app.phase < ROLL_PHASE_COUNT &&
		       reply->app.outcome < ROLL_OUTCOME_COUNT;
	case WIRE_REPLICA:
		return reply->replica.group < GROUP_COUNT &&
		       reply->replica.state < MASTER_STATE_COUNT &&
		       reply->replica.lane < LANE_COUNT;
	case WIRE_POOL:
		return reply->pool.number < POOLS_MAX;
	case WIRE_SESSIONS:
		return reply->sessions.state < STORE_STATE_COUNT;
	case WIRE_END:
	case WIRE_KIND_COUNT:
		break;
	}
	return true;
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
	if (!is_known(reply))
		return -EPROTO;
	tame_texts(reply);
	if (reply->kind == WIRE_SESSIONS)
		reply->sessions.findings_fd = TAKE_FD(passed);
	return 0;
}
