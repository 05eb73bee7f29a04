#include <poll.h>
#include <stdbool.h>

#include "fake_fpm.h"
#include "question/drain.h"
#include "util/clock.h"

#define PROCESS(pid, state) "{\"pid\":" #pid ",\"state\":\"" state "\"}"
#define PAGE(...)                                                                                  \
	{                                                                                          \
		FAKE_BODY, "{\"pool\":\"www\",\"processes\":[" __VA_ARGS__ "]}"                    \
	}
#define IDLE      PAGE(PROCESS(7, "Idle"))
#define BUSY      PAGE(PROCESS(7, "Idle") "," PROCESS(8, "Running"))
#define VERY_BUSY PAGE(PROCESS(8, "Running") "," PROCESS(9, "Reading headers"))
#define END                                                                                        \
	{                                                                                          \
		FAKE_END, NULL                                                                     \
	}

static char directory[SCRATCH_PATH_SIZE];

static int new_directory(void **state)
{
	scratch_dir(directory);
	return leaks_before(state);
}

/* A drain that runs in a child, as a helper does. */
struct drain {
	struct drain_query query;
	int answer_fd;
	pid_t pid;
};

static void begin(struct drain *drain, unsigned sockets)
{
	int pair[2];

	drain->query.private_fd = open(directory, O_PATH | O_CLOEXEC);
	drain->query.socket_count = sockets;
	for (unsigned i = 0; i < sockets; i++) {
		snprintf(drain->query.sockets[i].name, sizeof(drain->query.sockets[i].name), "%u.s",
		         i + 1);
		strcpy(drain->query.sockets[i].path, "/status");
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fflush(NULL);
	drain->pid = fork();
	if (drain->pid == 0) {
		alarm(30); /* a guard */
		close(pair[0]);
		drain_run(&drain->query, pair[1]);
		_exit(EXIT_SUCCESS);
	}
	close(pair[1]);
	close(drain->query.private_fd);
	drain->answer_fd = pair[0];
}

static struct drain_answer answer_of(const struct drain *drain)
{
	struct drain_answer answer;
	struct pollfd p = { .fd = drain->answer_fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(recv(drain->answer_fd, &answer, sizeof(answer), 0), sizeof(answer));
	return answer;
}

/* It ends by itself, and has nothing more to say. */
static void end_well(struct drain *drain)
{
	int status;
	char byte;

	assert_int_equal(waitpid(drain->pid, &status, 0), drain->pid);
	assert_int_equal(status, 0);
	assert_int_equal(recv(drain->answer_fd, &byte, 1, MSG_DONTWAIT), 0);
	close(drain->answer_fd);
}

/* It goes on; somebody else ends it. */
static void end_early(struct drain *drain)
{
	fake_end(drain->pid);
	close(drain->answer_fd);
}

static pid_t fpm(unsigned number, const struct fake_answer *pages)
{
	return fake_fpm(at("%s/%u.s", directory, number), "/status", pages);
}

static void test_idle_is_said_after_two_looks(void **state)
{
	static const struct fake_answer pages[] = { IDLE, END };
	struct drain drain = { 0 };
	pid_t pid = fpm(1, pages);
	uint64_t began = clock_ms();

	(void)state;
	begin(&drain, 1);
	struct drain_answer answer = answer_of(&drain);
	assert_false(answer.idle);
	assert_int_equal(answer.busy, 0);
	assert_true(answer_of(&drain).idle);
	assert_true(clock_ms() - began >= DRAIN_APART_MS);
	end_well(&drain);
	fake_end(pid);
}

static void test_each_change_is_said(void **state)
{
	static const struct fake_answer pages[] = {
		VERY_BUSY, VERY_BUSY, BUSY, BUSY, BUSY, IDLE, END,
	};
	struct drain drain = { 0 };
	pid_t pid = fpm(1, pages);

	(void)state;
	begin(&drain, 1);
	struct drain_answer answer = answer_of(&drain);
	assert_int_equal(answer.busy, 2);
	assert_int_equal(answer.busy_pid, 8);
	assert_int_equal(answer.busy_state, WORKER_RUNNING);
	assert_int_equal(answer_of(&drain).busy, 1);
	assert_int_equal(answer_of(&drain).busy, 0);
	assert_true(answer_of(&drain).idle);
	end_well(&drain);
	fake_end(pid);
}

/* A connection that was between the queue and the scoreboard at the first look. */
static void test_one_idle_look_is_not_enough(void **state)
{
	static const struct fake_answer pages[] = { IDLE, BUSY, IDLE, BUSY, IDLE, IDLE, END };
	struct drain drain = { 0 };
	pid_t pid = fpm(1, pages);

	(void)state;
	begin(&drain, 1);
	for (int i = 0; i < 5; i++) {
		struct drain_answer answer = answer_of(&drain);

		assert_false(answer.idle);
		assert_int_equal(answer.busy, i % 2);
	}
	assert_true(answer_of(&drain).idle);
	end_well(&drain);
	fake_end(pid);
}

static void test_all_pools_of_all_masters_count(void **state)
{
	static const struct fake_answer idle[] = { IDLE, END },
					busy[] = { BUSY, VERY_BUSY, IDLE, END };
	struct drain drain = { 0 };
	pid_t first = fpm(1, idle), second = fpm(2, busy), third = fpm(3, busy);

	(void)state;
	begin(&drain, 3);
	assert_int_equal(answer_of(&drain).busy, 2);
	assert_int_equal(answer_of(&drain).busy, 4);
	assert_int_equal(answer_of(&drain).busy, 0);
	assert_true(answer_of(&drain).idle);
	end_well(&drain);
	fake_end(first);
	fake_end(second);
	fake_end(third);
}

static void test_workers_of_a_rescue_master_are_counted_apart(void **state)
{
	static const struct fake_answer rescue[] = { BUSY, BUSY, BUSY, IDLE, END },
					retired[] = { PAGE(PROCESS(5, "Running")), IDLE, END };
	struct drain drain = { .query.sockets[0].rescue = true };
	pid_t first = fpm(1, rescue), second = fpm(2, retired);

	(void)state;
	begin(&drain, 2);
	struct drain_answer answer = answer_of(&drain);
	assert_int_equal(answer.busy, 2);
	assert_int_equal(answer.busy_rescue, 1);
	assert_int_equal(answer.busy_pid, 5);
	answer = answer_of(&drain);
	assert_int_equal(answer.busy, 1);
	assert_int_equal(answer.busy_rescue, 1);
	assert_int_equal(answer.busy_pid, 8);
	answer = answer_of(&drain);
	assert_int_equal(answer.busy_rescue, 0);
	assert_true(answer_of(&drain).idle);
	end_well(&drain);
	fake_end(first);
	fake_end(second);
}

/* Its exit is the supervisor's to see. */
static void test_a_master_that_has_gone_is_not_waited_for(void **state)
{
	struct drain drain = { 0 };

	(void)state;
	/* The first has no socket any more, on the second's nobody listens. */
	close(fake_listen(at("%s/2.s", directory)));
	begin(&drain, 2);
	assert_int_equal(answer_of(&drain).busy, 0);
	assert_true(answer_of(&drain).idle);
	end_well(&drain);
}

static void test_a_page_that_cannot_be_read_is_not_idle(void **state)
{
	static const struct {
		const char *says;
		struct fake_answer page;
	} rows[] = {
		{ "no JSON", { FAKE_BODY, "File not found." } },
		{ "half a page", { FAKE_BODY, "{\"processes\":[{\"state\":\"Idle\"}" } },
		{ "no processes", { FAKE_BODY, "{\"idle processes\":4}" } },
		{ "no FastCGI", { FAKE_RAW, "{\"processes\":[]}" } },
		{ "a hang-up", { FAKE_CLOSE, NULL } },
		{ "silence", { FAKE_SILENT, NULL } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct fake_answer pages[] = { rows[i].page, IDLE, END };
		struct drain drain = { 0 };

		scratch_dir(directory);
		pid_t pid = fpm(1, pages);
		begin(&drain, 1);
		struct drain_answer answer = answer_of(&drain);
		if (answer.idle || answer.busy != 1 || answer.busy_state != WORKER_OTHER)
			fail_msg("%s: got busy %u in state %u%s", rows[i].says, answer.busy,
			         answer.busy_state, answer.idle ? ", idle" : "");
		assert_int_equal(answer_of(&drain).busy, 0);
		assert_true(answer_of(&drain).idle);
		end_well(&drain);
		fake_end(pid);
	}
}

/* --- the lane --- */

static int connect_to(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(un.sun_path, path, strlen(path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void test_a_connection_that_waits_on_the_lane_is_waited_for(void **state)
{
	static const struct fake_answer pages[] = { IDLE, END };
	int lane = fake_listen(at("%s/lane", directory));
	int client = connect_to(at("%s/lane", directory));
	struct drain drain = {
		.query = { .listener_count = 1, .listeners = { lane }, .stuck_ms = 30000 },
	};
	pid_t pid = fpm(1, pages);
	char byte;

	(void)state;
	begin(&drain, 1);
	struct drain_answer answer = answer_of(&drain);
	assert_true(answer.queued);
	assert_false(answer.idle);
	assert_false(answer.stuck);
	/* Some looks later it has nothing new to say. */
	usleep(10 * DRAIN_APART_MS * 1000);
	assert_int_equal(recv(drain.answer_fd, &byte, 1, MSG_DONTWAIT), -1);
	close(accept(lane, NULL, NULL));
	answer = answer_of(&drain);
	assert_false(answer.queued || answer.idle);
	assert_true(answer_of(&drain).idle);
	end_well(&drain);
	fake_end(pid);
	close(client);
	close(lane);
}

static void test_a_connection_that_nobody_takes_is_said_once(void **state)
{
	static const struct fake_answer pages[] = { BUSY, END };
	int lane = fake_listen(at("%s/lane", directory));
	int client = connect_to(at("%s/lane", directory));
	struct drain drain = {
		.query = { .listener_count = 1, .listeners = { lane }, .stuck_ms = 50 },
	};
	pid_t pid = fpm(1, pages);
	char byte;

	(void)state;
	begin(&drain, 1);
	assert_false(answer_of(&drain).stuck);
	assert_true(answer_of(&drain).stuck);
	usleep(10 * DRAIN_APART_MS * 1000);
	assert_int_equal(recv(drain.answer_fd, &byte, 1, MSG_DONTWAIT), -1);
	end_early(&drain);
	fake_end(pid);
	close(client);
	close(lane);
}

static void test_it_ends_when_nobody_listens_any_more(void **state)
{
	static const struct fake_answer pages[] = { BUSY, VERY_BUSY, BUSY, VERY_BUSY, IDLE, END };
	struct drain drain = { 0 };
	pid_t pid = fpm(1, pages);
	int status;

	(void)state;
	begin(&drain, 1);
	(void)answer_of(&drain);
	close(drain.answer_fd);
	assert_int_equal(waitpid(drain.pid, &status, 0), drain.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
	fake_end(pid);
}

#define DRAIN_TEST(name) cmocka_unit_test_setup_teardown(name, new_directory, leaks_after)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DRAIN_TEST(test_idle_is_said_after_two_looks),
		DRAIN_TEST(test_each_change_is_said),
		DRAIN_TEST(test_one_idle_look_is_not_enough),
		DRAIN_TEST(test_all_pools_of_all_masters_count),
		DRAIN_TEST(test_workers_of_a_rescue_master_are_counted_apart),
		DRAIN_TEST(test_a_master_that_has_gone_is_not_waited_for),
		DRAIN_TEST(test_a_page_that_cannot_be_read_is_not_idle),
		DRAIN_TEST(test_a_connection_that_waits_on_the_lane_is_waited_for),
		DRAIN_TEST(test_a_connection_that_nobody_takes_is_said_once),
		DRAIN_TEST(test_it_ends_when_nobody_listens_any_more),
	};

	return cmocka_run_group_tests_name("question/drain", tests, scratch_begin, scratch_end);
}
