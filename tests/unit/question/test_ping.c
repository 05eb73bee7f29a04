#include <stdbool.h>

#include "fake_fpm.h"
#include "fpm/overlay.h"
#include "question/ping.h"
#include "util/clock.h"
#include "util/text.h"

static char directory[SCRATCH_PATH_SIZE];

static int new_directory(void **state)
{
	scratch_dir(directory);
	return leaks_before(state);
}

static struct ping_query query_of(unsigned count)
{
	struct ping_query query = {
		.private_fd = open(directory, O_PATH | O_CLOEXEC),
		.count = count,
		.probes = { "1.p", "2.p" },
		.timeout_ms = 2000,
	};

	assert_true(query.private_fd >= 0);
	return query;
}

/* Ask, with the question's descriptor closed afterwards; one answer must come. */
static struct ping_answer ask(const struct ping_query *query)
{
	struct ping_answer answer;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ping_run(query, pair[1]);
	close(pair[1]);
	assert_int_equal(recv(pair[0], &answer, sizeof(answer), 0), sizeof(answer));
	assert_int_equal(recv(pair[0], &answer.ready, 1, MSG_DONTWAIT), 0);
	close(pair[0]);
	close(query->private_fd);
	return answer;
}

static const struct row {
	const char *says;
	struct fake_answer answer;
	bool ready;
	const char *why;
} rows[] = {
	{ "pong is an answer", { FAKE_BODY, "pong" }, true, "" },
	{ "another word is none",
	  { FAKE_BODY, "File not found." },
	  false,
	  "answered its ping with something else than pong" },
	{ "an empty page is none",
	  { FAKE_BODY, "" },
	  false,
	  "answered its ping with something else than pong" },
	{ "what is no FastCGI is none",
	  { FAKE_RAW, "HTTP/1.1 200 OK\r\n\r\npong" },
	  false,
	  "did not answer its ping" },
	{ "half an answer is none", { FAKE_RAW, "\1\6" }, false, "did not answer its ping" },
	{ "who hangs up does not answer", { FAKE_CLOSE, NULL }, false, "did not answer its ping" },
	{ "who is silent is late",
	  { FAKE_SILENT, NULL },
	  false,
	  "was not ready within start_timeout" },
};

static void test_each_answer(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct fake_answer answers[] = { rows[i].answer, { FAKE_END, NULL } };

		scratch_dir(directory);
		struct ping_query query = query_of(1);
		query.timeout_ms = rows[i].answer.kind == FAKE_SILENT ? 50 : 2000;
		pid_t pid = fake_fpm(at("%s/1.p", directory), OVERLAY_PING_PATH, answers);
		struct ping_answer answer = ask(&query);

		fake_end(pid);
		if (answer.ready != rows[i].ready ||
		    (!answer.ready && !text_begins(answer.why, rows[i].why)))
			fail_msg("%s: got %s, \"%s\"", rows[i].says,
			         answer.ready ? "ready" : "not ready", answer.why);
	}
}

static void test_nobody_there_is_told_at_once(void **state)
{
	struct ping_query query = query_of(1);

	(void)state;
	uint64_t began = clock_ms();
	struct ping_answer answer = ask(&query);
	assert_false(answer.ready);
	assert_string_equal(answer.why, "did not answer its ping");
	assert_true(clock_ms() - began < 1000);
}

static void test_who_comes_late_but_in_time_is_waited_for(void **state)
{
	static const struct fake_answer pong[] = { { FAKE_BODY, "pong" }, { FAKE_END, NULL } };
	struct ping_query query = query_of(1);
	/* The socket listens before FPM is there. */
	int listener = fake_listen(at("%s/1.p", directory));

	(void)state;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		usleep(100 * 1000);
		fake_serve(listener, OVERLAY_PING_PATH, pong);
	}
	close(listener);
	assert_true(ask(&query).ready);
	fake_end(pid);
}

static void test_each_pool_must_answer(void **state)
{
	static const struct fake_answer pong[] = { { FAKE_BODY, "pong" }, { FAKE_END, NULL } };
	static const struct fake_answer late[] = { { FAKE_SILENT, NULL }, { FAKE_END, NULL } };
	struct ping_query query = query_of(2);

	(void)state;
	pid_t first = fake_fpm(at("%s/1.p", directory), OVERLAY_PING_PATH, pong);
	pid_t second = fake_fpm(at("%s/2.p", directory), OVERLAY_PING_PATH, pong);
	assert_true(ask(&query).ready);
	fake_end(second);
	assert_int_equal(unlink(at("%s/2.p", directory)), 0);

	second = fake_fpm(at("%s/2.p", directory), OVERLAY_PING_PATH, late);
	query = query_of(2);
	query.timeout_ms = 50;
	struct ping_answer answer = ask(&query);
	assert_false(answer.ready);
	assert_string_equal(answer.why, "was not ready within start_timeout");
	fake_end(first);
	fake_end(second);
}

#define PING_TEST(name) cmocka_unit_test_setup_teardown(name, new_directory, leaks_after)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PING_TEST(test_each_answer),
		PING_TEST(test_nobody_there_is_told_at_once),
		PING_TEST(test_who_comes_late_but_in_time_is_waited_for),
		PING_TEST(test_each_pool_must_answer),
	};

	return cmocka_run_group_tests_name("question/ping", tests, scratch_begin, scratch_end);
}
