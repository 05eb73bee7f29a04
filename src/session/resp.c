#include "session/resp.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "util/cleanup.h"
#include "util/clock.h"

enum {
	ANSWERS_MAX =
		512 * 1024, /* bytes of all answers; INFO has some KiB, most less than 100 bytes */
	ELEMENTS_MAX = 32 * 1024, /* of all arrays; hiredis allocates as many as it is told */
};

/* The type of the last argument of createArray. */
#if HIREDIS_MAJOR < 1
typedef int element_count;
#else
typedef size_t element_count;
#endif

static redisReplyObjectFunctions bounded;
static void *(*create_array)(const redisReadTask *task, element_count elements);

static void *create_bounded_array(const redisReadTask *task, element_count elements)
{
	struct resp *resp = task->privdata;

	if ((size_t)elements > ELEMENTS_MAX - resp->elements)
		return NULL;
	resp->elements += (size_t)elements;
	return create_array(task, elements);
}

static redisReader *make_reader(struct resp *resp)
{
	redisReader *reader = redisReaderCreate();

	if (!reader)
		return NULL;
	if (!create_array) {
		bounded = *reader->fn;
		create_array = bounded.createArray;
		bounded.createArray = create_bounded_array;
	}
	reader->fn = &bounded;
	reader->privdata = resp;
	return reader;
}

struct resp resp_init(uint64_t deadline_us)
{
	return (struct resp){ .fd = FD_NONE, .deadline_us = deadline_us };
}

void resp_done(struct resp *resp)
{
	tls_end(resp->tls);
	resp->tls = NULL;
	fd_close(&resp->fd);
	if (resp->reader)
		redisReaderFree(resp->reader);
	resp->reader = NULL;
}

/* Wait for @events on the socket.  Returns 0, -ETIMEDOUT or another negative errno. */
static int wait_for(const struct resp *resp, short events)
{
	struct pollfd ready = { .fd = resp->fd, .events = events };

	for (;;) {
		uint64_t now = clock_us();

		if (now >= resp->deadline_us)
			return -ETIMEDOUT;
		uint64_t left_ms = (resp->deadline_us - now + 999) / 1000;
		int n = poll(&ready, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int connect_socket(struct resp *resp, const struct sockaddr *address, socklen_t length)
{
	int error = 0;
	socklen_t size = sizeof(error);

	resp->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (resp->fd < 0)
		return -errno;
	if (connect(resp->fd, address, length) == 0)
		return 0;
	/* connect(2): an interrupted connect goes on by itself, like one in progress. */
	if (errno != EINPROGRESS && errno != EINTR)
		return -errno;
	int r = wait_for(resp, POLLOUT);
	if (r < 0)
		return r;
	if (getsockopt(resp->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	return -error;
}

static int shake(struct resp *resp, const char *host)
{
	short events = 0;
	int r;

	resp->tls_why = "there is no memory for TLS, or no authority";
	resp->tls = tls_begin(resp->fd, host);
	if (!resp->tls)
		return 0;
	while ((r = tls_shake(resp->tls, &events)) == -EAGAIN)
		if ((r = wait_for(resp, events)) < 0)
			return r;
	resp->tls_why = r < 0 ? tls_why(resp->tls) : NULL;
	return 0;
}

int resp_connect(struct resp *resp, const struct sockaddr *address, socklen_t length,
                 const char *tls_host)
{
	int r = connect_socket(resp, address, length);

	if (r < 0 || !tls_host)
		return r;
	if (tls_built_in())
		return shake(resp, tls_host);
	resp->tls_why = "this twinit is built without TLS";
	return 0;
}

static ssize_t send_some(const struct resp *resp, const char *bytes, size_t length, short *events)
{
	if (resp->tls)
		return tls_send(resp->tls, bytes, length, events);
	*events = POLLOUT;
	ssize_t n = send(resp->fd, bytes, length, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static int send_all(const struct resp *resp, const char *bytes, size_t length)
{
	while (length > 0) {
		short events;
		ssize_t n = send_some(resp, bytes, length, &events);
		int r = n < 0 && n != -EINTR ? (int)n : 0;

		if (r == -EAGAIN)
			r = wait_for(resp, events);
		if (r < 0)
			return r;
		if (n > 0) {
			bytes += n;
			length -= (size_t)n;
		}
	}
	return 0;
}

static int send_command(const struct resp *resp, int count, const char **words)
{
	char *bytes = NULL;
	int length = redisFormatCommandArgv(&bytes, count, words, NULL);

	if (length < 0)
		return -ENOMEM;
	int r = send_all(resp, bytes, (size_t)length);
	redisFreeCommand(bytes);
	/* A server that closes at once may have said why: read that before the broken pipe. */
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

/* TLS may have more in hand than the socket shows. */
static ssize_t receive_by_tls(const struct resp *resp, char *bytes, size_t size)
{
	short events;
	ssize_t n = tls_receive(resp->tls, bytes, size, &events);

	if (n == -EAGAIN)
		return wait_for(resp, events);
	return n == 0 ? -ENODATA : n;
}

/* Returns how many bytes came, -ENODATA at the end of the stream, or a negative errno. */
static ssize_t receive(const struct resp *resp, char *bytes, size_t size)
{
	if (resp->tls)
		return receive_by_tls(resp, bytes, size);
	int r = wait_for(resp, POLLIN);

	if (r < 0)
		return r;
	ssize_t n = recv(resp->fd, bytes, size, 0);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	return n == 0 ? -ENODATA : n;
}

static bool is_reply_type(char c)
{
	return c == '+' || c == '-' || c == ':' || c == '$' || c == '*';
}

/* Hand @size bytes, at least one, to the reader. */
static int feed(struct resp *resp, const char *bytes, size_t size)
{
	if (resp->first == 0)
		resp->first = bytes[0];
	if (!is_reply_type(resp->first))
		return -EBADMSG;
	resp->received += size;
	if (resp->received > ANSWERS_MAX)
		return -EOVERFLOW;
	return redisReaderFeed(resp->reader, bytes, size) == REDIS_OK ? 0 : -EBADMSG;
}

/* A reply from the reader; NULL while it is incomplete. */
static int take_reply(struct resp *resp, redisReply **reply)
{
	void *object = NULL;
	int r = redisReaderGetReply(resp->reader, &object);

	*reply = object;
	return r == REDIS_OK ? 0 : -EBADMSG;
}

static int wait_for_reply(struct resp *resp, redisReply **reply)
{
	char bytes[4096];
	int r = take_reply(resp, reply);

	resp->first = 0;
	while (r == 0 && !*reply) {
		ssize_t n = receive(resp, bytes, sizeof(bytes));

		if (n < 0)
			return (int)n;
		if (n == 0)
			continue;
		r = feed(resp, bytes, (size_t)n);
		if (r == 0)
			r = take_reply(resp, reply);
	}
	return r;
}

int resp_ask(struct resp *resp, int count, const char **words, redisReply **reply)
{
	if (!resp->reader)
		resp->reader = make_reader(resp);
	if (!resp->reader)
		return -ENOMEM;
	int r = send_command(resp, count, words);
	return r < 0 ? r : wait_for_reply(resp, reply);
}

bool resp_has_more(const struct resp *resp)
{
	return resp->reader && resp->reader->pos < resp->reader->len;
}
