#include <stdbool.h>
#include <sys/socket.h>

#include "../util/leaks.h"
#include "control/connection.h"
#include "listen/lane.h"
#include "rollout/lifecycle.h"
#include "session/store.h"
#include "util/cleanup.h"
#include "util/passing.h"

static struct wire_reply reply;

/* clang-format off */
static const struct {
	const char *says;
	uint32_t magic, kind;
	int more; /* bytes than its kind has; -1000: an empty message */
	int result;
} messages[] = {
	{ "news",                      WIRE_MAGIC, WIRE_NEWS,       0,     0           },
	{ "an end",                    WIRE_MAGIC, WIRE_END,        0,     0           },
	{ "one byte less",             WIRE_MAGIC, WIRE_END,        -1,    -EPROTO     },
	{ "one byte more",             WIRE_MAGIC, WIRE_END,        1,     -EPROTO     },
	{ "another magic",             1,          WIRE_END,        0,     -EPROTO     },
	{ "a kind there is not",       WIRE_MAGIC, WIRE_KIND_COUNT, 0,     -EPROTO     },
	{ "a kind there is never",     WIRE_MAGIC, UINT32_MAX,      0,     -EPROTO     },
	{ "nothing",                   WIRE_MAGIC, WIRE_END,        -1000, -ECONNRESET },
};
/* clang-format on */

static void test_each_message(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		bool known = messages[i].kind < WIRE_KIND_COUNT;
		size_t size = wire_reply_size(known ? messages[i].kind : WIRE_END);
		int ends[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
		memset(&reply, 0, sizeof(reply));
		reply.magic = messages[i].magic;
		reply.kind = messages[i].kind;
		size = messages[i].more == -1000 ? 0 : size + (size_t)messages[i].more;
		assert_int_equal(send(ends[1], &reply, size, 0), size);
		int r = connection_receive(ends[0], &reply, 1000);
		if (r != messages[i].result)
			fail_msg("%s: got %d", messages[i].says, r);
		close(ends[0]);
		close(ends[1]);
	}
}

static void test_who_is_at_the_other_end(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_int_equal(connection_peer(ends[0]), getpid());
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(connection_peer(ends[0]), 0);
	close(ends[0]);
	close(ends[1]);
}

static void test_silence_is_a_timeout_and_a_hang_up_is_none(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_int_equal(connection_receive(ends[0], &reply, 0), -ETIMEDOUT);
	assert_int_equal(connection_receive(ends[0], &reply, 5), -ETIMEDOUT);
	close(ends[1]);
	assert_int_equal(connection_receive(ends[0], &reply, -1), -ECONNRESET);
	close(ends[0]);
}

/* As connection.h promises. */
static void test_texts_are_ended(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	memset(&reply, 'x', sizeof(reply));
	reply.magic = WIRE_MAGIC;
	reply.kind = WIRE_END;
	assert_int_equal(send(ends[1], &reply, wire_reply_size(WIRE_END), 0),
	                 wire_reply_size(WIRE_END));
	assert_int_equal(connection_receive(ends[0], &reply, 1000), 0);
	bool ended = memchr(reply.end.text, '\0', sizeof(reply.end.text));
	close(ends[0]);
	close(ends[1]);
	assert_true(ended);
}

static const struct {
	const char *says;
	uint32_t kind;
	size_t at; /* where the number stands */
	uint32_t most;
} numbers[] = {
	/* clang-format off */
	{ "a kind of news",     WIRE_NEWS,      offsetof(struct wire_reply, news.kind),       NEWS_COUNT - 1 },
	{ "a lane in the news", WIRE_NEWS,      offsetof(struct wire_reply, news.lane),       LANE_COUNT - 1 },
	{ "a phase",            WIRE_CONTAINER, offsetof(struct wire_reply, container.phase), CONTAINER_STOPPING },
	{ "a phase of a roll",  WIRE_APP,       offsetof(struct wire_reply, app.phase),       ROLL_ABANDON },
	{ "an outcome",         WIRE_APP,       offsetof(struct wire_reply, app.outcome),     ROLL_TAKEN_BACK },
	{ "a group",            WIRE_REPLICA,   offsetof(struct wire_reply, replica.group),   GROUP_OLD },
	{ "a state",            WIRE_REPLICA,   offsetof(struct wire_reply, replica.state),   MASTER_BACKOFF },
	{ "a lane",             WIRE_REPLICA,   offsetof(struct wire_reply, replica.lane),    LANE_COUNT - 1 },
	{ "a store's state",    WIRE_SESSIONS,  offsetof(struct wire_reply, sessions.state),  STORE_FAILED },
	/* clang-format on */
};

/* Who answers at the usual place need not be a twinit. */
static void test_numbers_that_name_nothing_are_refused(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		for (uint32_t above = 0; above < 2; above++) {
			uint32_t number = numbers[i].most + above;
			size_t size = wire_reply_size(numbers[i].kind);
			int ends[2];

			assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
			memset(&reply, 0, sizeof(reply));
			reply.magic = WIRE_MAGIC;
			reply.kind = numbers[i].kind;
			memcpy((char *)&reply + numbers[i].at, &number, sizeof(number));
			assert_int_equal(send(ends[1], &reply, size, 0), size);
			int r = connection_receive(ends[0], &reply, 1000);
			if (r != (above ? -EPROTO : 0))
				fail_msg("%s: %u gives %d", numbers[i].says, number, r);
			close(ends[0]);
			close(ends[1]);
		}
	}
}

/* Findings come as a descriptor; with any other message one is nobody's and closed. */
static void test_only_sessions_keep_the_descriptor_that_came_along(void **state)
{
	static const struct {
		uint32_t kind;
		bool passed, kept;
	} kinds[] = {
		{ WIRE_SESSIONS, true, true },
		{ WIRE_SESSIONS, false, false },
		{ WIRE_END, true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		ssize_t size = (ssize_t)wire_reply_size(kinds[i].kind);
		int ends[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
		memset(&reply, 0, sizeof(reply));
		reply.magic = WIRE_MAGIC;
		reply.kind = kinds[i].kind;
		assert_int_equal(passing_send(ends[1], &reply, (size_t)size,
		                              kinds[i].passed ? ends[1] : FD_NONE, 0),
		                 size);
		assert_int_equal(connection_receive(ends[0], &reply, 1000), 0);
		if (kinds[i].kept)
			assert_int_equal(close(reply.sessions.findings_fd), 0);
		else if (reply.kind == WIRE_SESSIONS)
			assert_int_equal(reply.sessions.findings_fd, FD_NONE);
		close(ends[0]);
		close(ends[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_message),
		TEST(test_who_is_at_the_other_end),
		TEST(test_silence_is_a_timeout_and_a_hang_up_is_none),
		TEST(test_texts_are_ended),
		TEST(test_numbers_that_name_nothing_are_refused),
		TEST(test_only_sessions_keep_the_descriptor_that_came_along),
	};

	return cmocka_run_group_tests_name("control/connection", tests, NULL, NULL);
}
