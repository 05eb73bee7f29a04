#include "control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/fs.h"
#include "util/log.h"
#include "util/passing.h"

enum { BACKLOG = 64, ACCEPTS_A_TURN = 16, REST_MS = 200 };

static void drop(struct client *client)
{
	loop_forget(client->server->loop, &client->source);
	deadline_disarm(client->server->loop, &client->patience);
	fd_close(&client->source.fd);
	client->asked = false;
}

static void on_impatience(struct deadline *deadline)
{
	drop(container_of(deadline, struct client, patience));
}

static bool acceptable(const struct wire_request *request, ssize_t size)
{
	return size == (ssize_t)sizeof(*request) && request->magic == WIRE_MAGIC &&
	       request->size == sizeof(*request) && request->command < WIRE_COMMAND_COUNT &&
	       memchr(request->directory, '\0', sizeof(request->directory)) &&
	       memchr(request->app, '\0', sizeof(request->app));
}

static bool is_answered_at_once(const struct wire_request *request)
{
	return request->command == COMMAND_STATUS ||
	       (request->command == COMMAND_STOP && wire_stops_container(request));
}

static bool too_many_wait(const struct server *server)
{
	unsigned count = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		count += client_waits(&server->clients[i]);
	return count >= CLIENTS_WAITING_MAX;
}

/* Also called when the client hangs up while it waits for our answers. */
static void on_client_ready(struct event_source *source)
{
	struct client *client = container_of(source, struct client, source);
	struct wire_request request;
	ssize_t n = recv(source->fd, &request, sizeof(request), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || client->asked) {
		drop(client);
		return;
	}
	deadline_disarm(client->server->loop, &client->patience);
	if (!acceptable(&request, n)) {
		server_end(client, EXIT_FAILURE,
		           "this twinit and the running one are of different versions");
		return;
	}
	if (!is_answered_at_once(&request) && too_many_wait(client->server)) {
		server_end(client, EXIT_FAILURE, "%d commands wait already; try again later",
		           CLIENTS_WAITING_MAX);
		return;
	}
	client->request = request;
	client->asked = true;
	client->server->on_request(client->server, client);
}

static bool has_hung_up(const struct client *client)
{
	char byte;

	return recv(client->source.fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Who has not said a word for the longest time, or NULL when all have. */
static struct client *most_silent(struct server *server)
{
	struct client *found = NULL;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &server->clients[i];

		if (!client->asked && (!found || client->patience.at_ms < found->patience.at_ms))
			found = client;
	}
	return found;
}

static struct client *find_place(struct server *server)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (server->clients[i].source.fd < 0)
			return &server->clients[i];
	return NULL;
}

/*
 * In a crowd those who are gone already, which we may not have noticed yet, make room, and then the
 * one who has been silent for the longest time: an honest command asks as soon as it has connected.
 */
static struct client *free_place(struct server *server)
{
	struct client *place = find_place(server);

	for (size_t i = 0; !place && i < CLIENTS_MAX; i++)
		if (has_hung_up(&server->clients[i]))
			place = &server->clients[i];
	if (!place)
		place = most_silent(server);
	if (place && place->source.fd >= 0)
		drop(place);
	return place;
}

/* A pid of 0 is a process outside our PID namespace, so none of ours. */
static bool welcome(struct server *server, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	if (peer.uid != 0 && peer.uid != geteuid())
		return false;
	if (peer.pid > 0 && server->is_below_master(server, peer.pid)) {
		log_write(NOTICE_CONTROL_REFUSED, "",
		          "control: ignoring process %d, which is below an FPM master or gone "
		          "already",
		          peer.pid);
		return false;
	}
	return true;
}

static void admit(struct server *server, int fd)
{
	_cleanup_close_ int client_fd = fd;
	struct client *client = welcome(server, fd) ? free_place(server) : NULL;

	if (!client)
		return;
	*client = (struct client){
		.source = { .fd = client_fd, .on_ready = on_client_ready },
		.patience = { .on_due = on_impatience },
		.server = server,
	};
	if (loop_watch(server->loop, &client->source) < 0) {
		client->source.fd = FD_NONE;
		return;
	}
	deadline_arm(server->loop, &client->patience, CLIENT_PATIENCE_MS);
	(void)TAKE_FD(client_fd);
}

static void open_spare(struct server *server)
{
	if (server->spare_fd < 0)
		server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Whom we cannot take would wake us again at once, for ever. */
static void rest(struct server *server)
{
	loop_forget(server->loop, &server->source);
	deadline_arm(server->loop, &server->rested, REST_MS);
}

static void on_rested(struct deadline *deadline)
{
	struct server *server = container_of(deadline, struct server, rested);

	open_spare(server);
	if (loop_watch(server->loop, &server->source) < 0)
		rest(server);
}

/* The table of descriptors is full.  False when not even this could be done. */
static bool turn_away(struct server *server)
{
	fd_close(&server->spare_fd);
	int fd = accept4(server->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	bool done = fd >= 0;
	fd_close(&fd);
	open_spare(server);
	return done;
}

static bool is_passing(int error)
{
	return error == EAGAIN || error == EINTR || error == ECONNABORTED;
}

static void on_ready(struct event_source *source)
{
	struct server *server = container_of(source, struct server, source);

	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && !is_passing(errno) && !turn_away(server))
			rest(server);
		if (fd < 0)
			return;
		admit(server, fd);
	}
}

int server_open(struct server *server, struct loop *loop, int dir_fd)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char path[FD_PATH_SIZE];

	server->loop = loop;
	server->source = (struct event_source){ .fd = FD_NONE, .on_ready = on_ready };
	server->rested = (struct deadline){ .on_due = on_rested };
	server->spare_fd = FD_NONE;
	open_spare(server);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		server->clients[i].source.fd = FD_NONE;
	path_in_fd(dir_fd, WIRE_SOCKET, path);
	memcpy(un.sun_path, path, strlen(path) + 1);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || server->spare_fd < 0)
		return -errno;
	(void)unlinkat(dir_fd, WIRE_SOCKET, 0);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 || chmod(path, 0600) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return -errno;
	server->source.fd = fd;
	int r = loop_watch(loop, &server->source);
	if (r >= 0)
		(void)TAKE_FD(fd);
	else
		server->source.fd = FD_NONE;
	return r;
}

void server_close(struct server *server)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (server->clients[i].source.fd >= 0)
			drop(&server->clients[i]);
	loop_forget(server->loop, &server->source);
	deadline_disarm(server->loop, &server->rested);
	fd_close(&server->source.fd);
	fd_close(&server->spare_fd);
}

void server_send_with_fd(struct client *client, struct wire_reply *reply, int fd)
{
	size_t size = wire_reply_size(reply->kind);

	if (client->source.fd < 0)
		return;
	reply->magic = WIRE_MAGIC;
	if (passing_send(client->source.fd, reply, size, fd, MSG_DONTWAIT | MSG_NOSIGNAL) !=
	            (ssize_t)size ||
	    reply->kind == WIRE_END)
		drop(client);
}

void server_send(struct client *client, struct wire_reply *reply)
{
	server_send_with_fd(client, reply, FD_NONE);
}

void server_end(struct client *client, int exit_status, const char *format, ...)
{
	struct wire_reply reply = { .kind = WIRE_END, .end.exit_status = exit_status };
	struct text text = TEXT(reply.end.text);
	va_list args;

	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
	server_send(client, &reply);
}

bool client_waits(const struct client *client)
{
	return client->source.fd >= 0 && client->asked;
}

void client_served(struct client *client, size_t index, bool failed)
{
	client->awaits[index] = 0;
	if (failed)
		client->exit_status = EXIT_FAILURE;
	for (size_t i = 0; i < APPS_MAX; i++)
		if (client->awaits[i] != 0)
			return;
	server_end(client, client->exit_status, "%s", "");
}
