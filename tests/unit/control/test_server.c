#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../util/forked.h"
#include "../util/scratch.h"
#include "control/connection.h"
#include "control/server.h"
#include "util/cleanup.h"
#include "util/fs.h"

enum { CROWD = 50, PATIENCE_MS = 2000, NOBODY = 65534 };

static struct loop loop;
static struct server server;
static char dir[SCRATCH_PATH_SIZE];
static int dir_fd = FD_NONE;

static unsigned requests;
static struct client *last;
static bool strangers; /* everybody is below a master */
static void (*answer)(struct client *client);

static bool is_below_master(struct server *s, pid_t pid)
{
	(void)s;
	assert_true(pid > 0);
	return strangers;
}

static void on_request(struct server *s, struct client *client)
{
	assert_ptr_equal(s, &server);
	assert_true(client->asked);
	requests++;
	last = client;
	if (answer)
		answer(client);
}

static void begin(void)
{
	scratch_dir(dir);
	requests = 0;
	last = NULL;
	strangers = false;
	answer = NULL;
	server = (struct server){ .is_below_master = is_below_master, .on_request = on_request };
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(server_open(&server, &loop, dir_fd), 0);
}

static void end(void)
{
	server_close(&server);
	assert_null(loop.deadlines);
	loop_done(&loop);
	fd_close(&dir_fd);
}

static void nothing(struct deadline *deadline)
{
	(void)deadline;
}

/* What is ready now is dealt with; more than one turn, because a turn takes only some. */
static void turns(void)
{
	for (int i = 0; i < 8; i++) {
		struct deadline now = { .on_due = nothing };

		deadline_arm(&loop, &now, 0);
		assert_int_equal(loop_turn(&loop), 0);
		deadline_disarm(&loop, &now);
	}
}

static int connect_to_it(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char path[FD_PATH_SIZE];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	path_in_fd(dir_fd, WIRE_SOCKET, path);
	strcpy(un.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

/* Places that are taken. */
static unsigned clients(void)
{
	unsigned count = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		count += server.clients[i].source.fd >= 0;
	return count;
}

static bool is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void expect_end(int fd, int exit_status, const char *text)
{
	struct wire_reply reply;

	assert_int_equal(connection_receive(fd, &reply, PATIENCE_MS), 0);
	assert_int_equal(reply.kind, WIRE_END);
	assert_int_equal(reply.end.exit_status, exit_status);
	assert_string_equal(reply.end.text, text);
	assert_int_equal(connection_receive(fd, &reply, PATIENCE_MS), -ECONNRESET);
}

/* --- those who behave --- */

static void answer_at_once(struct client *client)
{
	struct wire_reply reply = { .kind = WIRE_APP };

	strcpy(reply.app.name, client->request.app);
	server_send(client, &reply);
	server_end(client, 3, "%s is %d", "that", 42);
}

static void test_a_request_gets_its_answers_and_an_end(void **state)
{
	const struct wire_request request = { .command = COMMAND_RESTART,
		                              .force = true,
		                              .app = "shop" };
	struct wire_reply reply;

	(void)state;
	begin();
	answer = answer_at_once;
	int fd = connection_open(dir, &request);
	assert_true(fd >= 0);
	turns();
	assert_int_equal(requests, 1);
	assert_int_equal(last->request.command, COMMAND_RESTART);
	assert_true(last->request.force);
	assert_string_equal(last->request.app, "shop");
	assert_int_equal(connection_receive(fd, &reply, PATIENCE_MS), 0);
	assert_int_equal(reply.kind, WIRE_APP);
	assert_string_equal(reply.app.name, "shop");
	expect_end(fd, 3, "that is 42");
	assert_int_equal(clients(), 0);
	close(fd);
	end();
}

static void test_an_answer_may_come_much_later(void **state)
{
	const struct wire_request request = { .command = COMMAND_STOP };

	(void)state;
	begin();
	int fd = connection_open(dir, &request);
	turns();
	assert_int_equal(requests, 1);
	assert_int_equal(clients(), 1);
	assert_null(loop.deadlines); /* it has asked: no more impatience */
	turns();
	server_end(last, 0, "done");
	expect_end(fd, 0, "done");
	/* Whoever answers may not know that it is gone. */
	server_end(last, 0, "again");
	close(fd);
	end();
}

static void test_only_we_may_connect(void **state)
{
	struct stat st;

	(void)state;
	begin();
	assert_int_equal(stat(at("%s/" WIRE_SOCKET, dir), &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	end();
}

static void test_a_dead_ones_socket_is_replaced(void **state)
{
	const struct wire_request request = { .command = COMMAND_STATUS };

	(void)state;
	begin();
	server_close(&server);
	assert_int_equal(access(at("%s/" WIRE_SOCKET, dir), F_OK), 0);
	assert_int_equal(connection_open(dir, &request), -ECONNREFUSED);
	assert_int_equal(server_open(&server, &loop, dir_fd), 0);
	int fd = connection_open(dir, &request);
	turns();
	assert_int_equal(requests, 1);
	close(fd);
	end();
	assert_int_equal(connection_open("/nowhere", &request), -ENOENT);
}

static void test_what_is_in_the_way_is_told(void **state)
{
	(void)state;
	begin();
	server_close(&server);
	assert_int_equal(unlink(at("%s/" WIRE_SOCKET, dir)), 0);
	assert_int_equal(mkdir(at("%s/" WIRE_SOCKET, dir), 0755), 0);
	assert_int_equal(server_open(&server, &loop, dir_fd), -EADDRINUSE);
	end();
}

/* --- those who do not --- */

static void test_a_silent_crowd_costs_no_more_than_its_places(void **state)
{
	const struct wire_request request = { .command = COMMAND_STATUS };
	int crowd[CROWD];
	unsigned closed = 0;

	(void)state;
	begin();
	for (int i = 0; i < CROWD; i++)
		crowd[i] = connect_to_it();
	turns();
	assert_int_equal(clients(), CLIENTS_MAX);
	for (int i = 0; i < CROWD; i++)
		closed += is_closed(crowd[i]);
	assert_int_equal(closed, CROWD - CLIENTS_MAX);
	/* As if the time had passed. */
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		assert_true(server.clients[i].patience.at_ms > 0);
		server.clients[i].patience.at_ms = 1;
	}
	turns();
	assert_int_equal(clients(), 0);
	int fd = connection_open(dir, &request);
	turns();
	assert_int_equal(requests, 1);
	close(fd);
	for (int i = 0; i < CROWD; i++)
		close(crowd[i]);
	end();
}

static void test_those_who_wait_leave_places_for_those_who_do_not(void **state)
{
	const struct wire_request wait = { .command = COMMAND_RESTART, .app = "shop" },
				  replicas[] = {
					  { .command = COMMAND_STOP, .app = "shop" },
					  { .command = COMMAND_STOP, .replica = 2 },
					  { .command = COMMAND_STOP, .all = true },
				  },
				  look = { .command = COMMAND_STATUS },
				  leave = { .command = COMMAND_STOP };
	int crowd[CROWD];

	(void)state;
	begin();
	for (int i = 0; i < CROWD; i++) {
		crowd[i] = connection_open(dir, &wait);
		turns();
	}
	assert_int_equal(requests, CLIENTS_WAITING_MAX);
	assert_int_equal(clients(), CLIENTS_WAITING_MAX);
	expect_end(crowd[CROWD - 1], EXIT_FAILURE, "24 commands wait already; try again later");
	for (size_t i = 0; i < ARRAY_SIZE(replicas); i++) {
		int refused = connection_open(dir, &replicas[i]);
		turns();
		expect_end(refused, EXIT_FAILURE, "24 commands wait already; try again later");
		close(refused);
	}
	answer = answer_at_once;
	int looks = connection_open(dir, &look), leaves = connection_open(dir, &leave);
	turns();
	assert_int_equal(requests, CLIENTS_WAITING_MAX + 2);
	answer = NULL;
	close(crowd[0]);
	turns();
	int next = connection_open(dir, &wait);
	turns();
	assert_int_equal(requests, CLIENTS_WAITING_MAX + 3);
	assert_int_equal(clients(), CLIENTS_WAITING_MAX);
	for (int i = 1; i < CROWD; i++)
		close(crowd[i]);
	close(looks);
	close(leaves);
	close(next);
	end();
}

/* A request, spoiled, and how many bytes of it are sent. */
struct nonsense {
	const char *says;
	void (*spoil)(struct wire_request *request);
	size_t size;
};

static void no_magic(struct wire_request *request)
{
	request->magic = 0;
}

static void other_size(struct wire_request *request)
{
	request->size++;
}

static void no_command(struct wire_request *request)
{
	request->command = WIRE_COMMAND_COUNT;
}

static void negative_command(struct wire_request *request)
{
	request->command = UINT32_MAX;
}

static void endless_app(struct wire_request *request)
{
	memset(request->app, 'x', sizeof(request->app));
}

static void garbage(struct wire_request *request)
{
	memset(request, 0xa5, sizeof(*request));
}

static void good(struct wire_request *request)
{
	(void)request;
}

/* clang-format off */
static const struct nonsense nonsenses[] = {
	{ "no magic",                no_magic,         sizeof(struct wire_request)     },
	{ "another version's size",  other_size,       sizeof(struct wire_request)     },
	{ "a command there is not",  no_command,       sizeof(struct wire_request)     },
	{ "... nor ever",            negative_command, sizeof(struct wire_request)     },
	{ "a name without end",      endless_app,      sizeof(struct wire_request)     },
	{ "garbage",                 garbage,          sizeof(struct wire_request)     },
	{ "one byte",                good,             1                               },
	{ "one byte less",           good,             sizeof(struct wire_request) - 1 },
	{ "one byte more",           good,             sizeof(struct wire_request) + 1 },
	{ "very much more",          good,             60000                           },
};
/* clang-format on */

static void test_nonsense_is_answered_and_ended(void **state)
{
	static char message[60000];

	(void)state;
	begin();
	for (size_t i = 0; i < ARRAY_SIZE(nonsenses); i++) {
		struct wire_request request = { .magic = WIRE_MAGIC, .size = sizeof(request) };
		int fd = connect_to_it();

		nonsenses[i].spoil(&request);
		memcpy(message, &request, sizeof(request));
		assert_int_equal(send(fd, message, nonsenses[i].size, 0), nonsenses[i].size);
		turns();
		if (requests > 0)
			fail_msg("%s: taken for a request", nonsenses[i].says);
		expect_end(fd, EXIT_FAILURE,
		           "this twinit and the running one are of different versions");
		assert_int_equal(clients(), 0);
		close(fd);
	}
	end();
}

static void test_an_empty_message_is_a_goodbye(void **state)
{
	(void)state;
	begin();
	int fd = connect_to_it();
	assert_int_equal(send(fd, "", 0, 0), 0);
	turns();
	assert_int_equal(clients(), 0);
	assert_int_equal(requests, 0);
	close(fd);
	end();
}

static void test_nobody_asks_twice(void **state)
{
	struct wire_request request = { .magic = WIRE_MAGIC, .size = sizeof(request) };

	(void)state;
	begin();
	int fd = connection_open(dir, &request);
	assert_int_equal(send(fd, &request, sizeof(request), 0), sizeof(request));
	turns();
	assert_int_equal(requests, 1);
	assert_int_equal(clients(), 0);
	close(fd);
	end();
}

static void test_who_hangs_up_gives_his_place_back(void **state)
{
	const struct wire_request request = { .command = COMMAND_RESTART };

	(void)state;
	begin();
	/* Before and after he has asked. */
	int silent = connect_to_it();
	int asked = connection_open(dir, &request);
	turns();
	assert_int_equal(clients(), 2);
	close(silent);
	close(asked);
	turns();
	assert_int_equal(clients(), 0);
	assert_false(last->asked);
	server_end(last, 0, "nobody hears this");
	assert_null(loop.deadlines);
	end();
}

static void test_who_hung_up_at_once_is_still_understood(void **state)
{
	const struct wire_request request = { .command = COMMAND_STOP };

	(void)state;
	begin();
	answer = answer_at_once;
	close(connection_open(dir, &request));
	turns();
	assert_int_equal(requests, 1);
	assert_int_equal(clients(), 0);
	end();
}

static void test_who_never_reads_is_dropped_and_nobody_waits(void **state)
{
	const struct wire_request request = { .command = COMMAND_RESTART };
	struct wire_reply reply = { .kind = WIRE_APP };
	unsigned sent = 0;

	(void)state;
	begin();
	int fd = connection_open(dir, &request);
	turns();
	for (; last->source.fd >= 0 && sent < 100000; sent++)
		server_send(last, &reply);
	assert_in_range(sent, 10, 99999);
	assert_int_equal(clients(), 0);
	assert_false(last->asked);
	close(fd);
	end();
}

static void test_who_is_below_a_master_gets_no_word(void **state)
{
	const struct wire_request request = { .command = COMMAND_STOP };

	(void)state;
	begin();
	strangers = true;
	int fd = connection_open(dir, &request);
	turns();
	assert_int_equal(requests, 0);
	assert_int_equal(clients(), 0);
	struct wire_reply reply;
	assert_int_equal(connection_receive(fd, &reply, PATIENCE_MS), -ECONNRESET);
	close(fd);
	end();
}

static void connect_as_nobody(void *context)
{
	const struct wire_request request = { .command = COMMAND_STOP };

	(void)context;
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(connection_open(dir, &request) == -EACCES);
	/* However he got in: also where the socket's mode does not keep him away. */
}

static void ask_as_nobody(void *context)
{
	const struct wire_request request = { .command = COMMAND_STOP };

	(void)context;
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(connection_open(dir, &request) >= 0);
}

static void test_another_user_is_not_heard(void **state)
{
	(void)state;
	only_as_root();
	begin();
	in_child(connect_as_nobody, NULL);
	assert_int_equal(chmod(at("%s/" WIRE_SOCKET, dir), 0666), 0);
	in_child(ask_as_nobody, NULL);
	turns();
	assert_int_equal(requests, 0);
	assert_int_equal(clients(), 0);
	end();
}

static void full_table(void *context)
{
	struct rlimit few = { 0 };
	int fd, highest = 0;

	(void)context;
	begin();
	fd = connect_to_it();
	/* No descriptor is left for its other end. */
	highest = dup(fd);
	few.rlim_cur = few.rlim_max = (rlim_t)highest;
	CHECK(close(highest) == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK(dup(fd) < 0 && errno == EMFILE);
	turns();
	CHECK(clients() == 0);
	CHECK(is_closed(fd));
	CHECK(server.spare_fd >= 0);
	CHECK(requests == 0);
}

static void test_without_descriptors_clients_are_turned_away(void **state)
{
	(void)state;
	in_child(full_table, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_request_gets_its_answers_and_an_end),
		TEST(test_an_answer_may_come_much_later),
		TEST(test_only_we_may_connect),
		TEST(test_a_dead_ones_socket_is_replaced),
		TEST(test_what_is_in_the_way_is_told),
		TEST(test_a_silent_crowd_costs_no_more_than_its_places),
		TEST(test_those_who_wait_leave_places_for_those_who_do_not),
		TEST(test_nonsense_is_answered_and_ended),
		TEST(test_an_empty_message_is_a_goodbye),
		TEST(test_nobody_asks_twice),
		TEST(test_who_hangs_up_gives_his_place_back),
		TEST(test_who_hung_up_at_once_is_still_understood),
		TEST(test_who_never_reads_is_dropped_and_nobody_waits),
		TEST(test_who_is_below_a_master_gets_no_word),
		TEST(test_another_user_is_not_heard),
		TEST(test_without_descriptors_clients_are_turned_away),
	};

	return cmocka_run_group_tests_name("control/server", tests, scratch_begin, scratch_end);
}
