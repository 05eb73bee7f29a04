/*
 * Any clients of PID 1's control socket: they come, say anything in messages of any size, pass
 * descriptors, hang up, take too long, while PID 1 answers some of them.  Nothing but a whole
 * request arrives, a crowd is bounded, and in the end no place, deadline or descriptor is taken.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"

#include "control/server.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/passing.h"

enum { PEERS = CLIENTS_MAX + 8 };

static struct loop loop;
static struct server server;
static int peers[PEERS];
static uint64_t now_ms;
static bool strangers; /* everybody is below a master */
static int refusals;   /* so many calls find the table of descriptors full */

/* The socket has a name that nobody else has, and the clock goes on when the input says so. */
int __real_bind(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_chmod(const char *path, mode_t mode);
int __real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
uint64_t __wrap_clock_ms(void);
void __wrap_log_write(enum notice notice, const char *app, const char *format, ...);

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length)
{
	(void)length;
	return __real_bind(fd, address, sizeof(address->sa_family));
}

int __wrap_chmod(const char *path, mode_t mode)
{
	assert(path[0] && mode == 0600);
	return 0;
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	if (refusals > 0) {
		refusals--;
		errno = EMFILE;
		return -1;
	}
	return __real_accept4(fd, address, length, flags);
}

uint64_t __wrap_clock_ms(void)
{
	return now_ms;
}

void __wrap_log_write(enum notice notice, const char *app, const char *format, ...)
{
	assert(notice == NOTICE_CONTROL_REFUSED && !app[0] && format[0]);
}

static bool is_below_master(struct server *s, pid_t pid)
{
	assert(s == &server && pid > 0);
	return strangers;
}

static void on_request(struct server *s, struct client *client)
{
	const struct wire_request *request = &client->request;

	assert(s == &server && client_waits(client));
	assert(request->command < WIRE_COMMAND_COUNT);
	assert(memchr(request->app, '\0', sizeof(request->app)));
	assert(memchr(request->directory, '\0', sizeof(request->directory)));
	client->awaits[0] = request->replica;
	client->awaits[APPS_MAX - 1] = request->all;
}

static void nothing(struct deadline *deadline)
{
	(void)deadline;
}

/* What is ready now is dealt with, and what is due, without waiting. */
static void turn(void)
{
	struct deadline now = { .on_due = nothing };

	deadline_arm(&loop, &now, 0);
	assert(loop_turn(&loop) == 0);
	deadline_disarm(&loop, &now);
}

static void come(int *peer)
{
	struct sockaddr_un un;
	socklen_t length = sizeof(un);

	if (*peer >= 0 || getsockname(server.source.fd, (struct sockaddr *)&un, &length) < 0)
		return;
	*peer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Where the queue is full it is another time's turn. */
	if (connect(*peer, (struct sockaddr *)&un, length) < 0)
		fd_close(peer);
}

/*
 * A right request with some of its bytes changed: WHERE and HOW MANY, then the bytes; the last two
 * bytes of the input at hand say how long the message is.
 */
static void say(int peer, struct input *input, bool with_fd)
{
	struct {
		struct wire_request request;
		char more[64];
	} message = {
		.request = {
			.magic = WIRE_MAGIC,
			.size = sizeof(struct wire_request),
			.command = input_byte(input),
		},
	};
	size_t at = input_byte(input) * sizeof(message) / 256;
	int shorter = (int8_t)input_byte(input);

	for (int count = input_byte(input) % 64; count > 0 && at < sizeof(message); count--)
		((uint8_t *)&message)[at++] = input_byte(input);
	if (shorter > (int)sizeof(message.more) || shorter < -64)
		shorter = -(int)sizeof(message.request);
	if (peer >= 0)
		(void)!passing_send(peer, &message,
		                    (size_t)((int)sizeof(message.request) + shorter),
		                    with_fd ? STDIN_FILENO : FD_NONE, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void answer(struct client *client, uint8_t how)
{
	struct wire_reply reply = { .kind = how % WIRE_END };

	if (!client_waits(client))
		return;
	if (how & 0x80)
		client_served(client, how & 0x40 ? 0 : APPS_MAX - 1, how & 0x20);
	else if (how & 0x40)
		server_end(client, EXIT_SUCCESS, "%s", "that was all");
	else
		server_send_with_fd(client, &reply, how & 0x20 ? STDIN_FILENO : FD_NONE);
}

static void happen(struct input *input)
{
	uint8_t what = input_byte(input), who = input_byte(input);
	int *peer = &peers[who % PEERS];

	switch (what % 10) {
	case 0:
		for (int i = 0; i < (what & 0x80 ? PEERS : 1); i++)
			come(&peers[(who + i) % PEERS]);
		break;
	case 1:
	case 2:
		come(peer);
		say(*peer, input, what & 0x80);
		break;
	case 3:
		fd_close(peer);
		break;
	case 4:
		answer(&server.clients[who % CLIENTS_MAX], input_byte(input));
		break;
	case 5:
		now_ms += (uint64_t)who * CLIENT_PATIENCE_MS / 128;
		break;
	case 6:
		strangers = who & 1;
		break;
	case 7:
		refusals = who % 4;
		break;
	default:
		turn();
		break;
	}
}

/* What a peer gets is whole replies, and after its end nothing. */
static void listen_to_it(int *peer)
{
	struct wire_reply reply;
	bool ended = false;
	ssize_t n = 0;

	while (*peer >= 0 &&
	       (n = recv(*peer, &reply, sizeof(reply), MSG_DONTWAIT | MSG_TRUNC)) > 0) {
		assert(!ended && reply.magic == WIRE_MAGIC && reply.kind < WIRE_KIND_COUNT);
		assert((size_t)n == wire_reply_size(reply.kind));
		ended = reply.kind == WIRE_END;
	}
	assert(!ended || n == 0 || errno == ECONNRESET);
	fd_close(peer);
}

static void begin(void)
{
	now_ms = 1000;
	strangers = false;
	refusals = 0;
	for (int i = 0; i < PEERS; i++)
		peers[i] = FD_NONE;
	server = (struct server){ .is_below_master = is_below_master, .on_request = on_request };
	assert(loop_init(&loop) == 0);
	assert(server_open(&server, &loop, FD_NONE) == 0);
}

/* Who has not asked is gone when patience is over, and who has hung up at once. */
static void end(void)
{
	refusals = 0;
	for (int i = 0; i < PEERS / 4; i++) {
		now_ms += CLIENT_PATIENCE_MS / 32; /* a server that had to rest is back soon */
		turn();
	}
	now_ms += CLIENT_PATIENCE_MS;
	turn();
	for (int i = 0; i < CLIENTS_MAX; i++)
		assert(server.clients[i].source.fd < 0 || server.clients[i].asked);
	for (int i = 0; i < PEERS; i++)
		listen_to_it(&peers[i]);
	turn();
	turn();
	for (int i = 0; i < CLIENTS_MAX; i++)
		assert(server.clients[i].source.fd < 0);
	come(&peers[0]);
	turn();
	server_close(&server);
	assert(!loop.deadlines);
	loop_done(&loop);
	listen_to_it(&peers[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = input_of(data, size);
	int lowest = dup(STDIN_FILENO), again;

	(void)close(lowest);
	begin();
	while (input_size(&input) > 0)
		happen(&input);
	end();
	again = dup(STDIN_FILENO);
	assert(again == lowest);
	(void)close(again);
	return 0;
}
