/* One question and its answer, for commands. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "../util/forked.h"
#include "process/ask.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum { LONG_MS = 60000 };

static void answer_42(const void *query, int answer_fd)
{
	const int answer = *(const int *)query + 1;

	helper_answer(answer_fd, &answer, sizeof(answer));
}

static void answer_twice(const void *query, int answer_fd)
{
	answer_42(query, answer_fd);
	answer_42(&(int){ 0 }, answer_fd);
}

static void answer_with_fd(const void *query, int answer_fd)
{
	int pair[2];
	const int answer = *(const int *)query;

	if (pipe(pair) < 0 || write(pair[1], "x", 1) != 1)
		_exit(EXIT_FAILURE);
	helper_answer_with_fd(answer_fd, &answer, sizeof(answer), pair[0]);
}

static void answer_too_little(const void *query, int answer_fd)
{
	helper_answer(answer_fd, query, 1);
}

static void answer_nothing(const void *query, int answer_fd)
{
	(void)query;
	(void)answer_fd;
}

static void crash(const void *query, int answer_fd)
{
	(void)query;
	(void)answer_fd;
	(void)raise(SIGKILL);
}

static void hang(const void *query, int answer_fd)
{
	(void)query;
	(void)answer_fd;
	for (;;)
		(void)pause();
}

static int ask(void (*run)(const void *, int), uint32_t timeout_ms, int *answer, int *fd)
{
	static const int query = 41;
	const struct question question = {
		.run = run,
		.query = &query,
		.power = POWER_CONFIG,
		.timeout_ms = timeout_ms,
	};

	return helper_ask(&question, answer, sizeof(*answer), fd);
}

static void test_the_first_answer_is_the_one(void **state)
{
	int answer = 0, fd = 7;

	(void)state;
	assert_int_equal(ask(answer_42, LONG_MS, &answer, &fd), 0);
	assert_int_equal(answer, 42);
	assert_int_equal(fd, FD_NONE);
	assert_int_equal(ask(answer_twice, LONG_MS, &answer, NULL), 0);
	assert_int_equal(answer, 42);
}

static void test_a_descriptor_comes_along_or_is_closed(void **state)
{
	int answer = 0, fd;
	char byte = 0;

	(void)state;
	assert_int_equal(ask(answer_with_fd, LONG_MS, &answer, &fd), 0);
	assert_int_equal(answer, 41);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(fd);
	assert_int_equal(ask(answer_with_fd, LONG_MS, &answer, NULL), 0);
}

static void test_an_end_without_an_answer_is_told(void **state)
{
	int answer = 1, fd;

	(void)state;
	assert_int_equal(ask(answer_nothing, LONG_MS, &answer, &fd), -ENODATA);
	assert_int_equal(ask(answer_too_little, LONG_MS, &answer, &fd), -ENODATA);
	assert_int_equal(ask(crash, LONG_MS, &answer, &fd), -ENODATA);
	assert_int_equal(fd, FD_NONE);
	assert_int_equal(answer, 1);
}

static void test_what_hangs_is_ended(void **state)
{
	const uint64_t began = clock_ms();
	int answer = 1;

	(void)state;
	assert_int_equal(ask(hang, 50, &answer, NULL), -ETIMEDOUT);
	assert_true(clock_ms() - began >= 50);
	assert_int_equal(answer, 1);
}

static void no_descriptor(void *context)
{
	const struct rlimit none = { 0, 0 };
	int answer = 1, fd = 7;

	(void)context;
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	CHECK(ask(answer_42, LONG_MS, &answer, &fd) == -EMFILE);
	CHECK(fd == FD_NONE && answer == 1);
}

static void test_what_cannot_be_started_is_told(void **state)
{
	(void)state;
	in_child(no_descriptor, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_first_answer_is_the_one),
		TEST(test_a_descriptor_comes_along_or_is_closed),
		TEST(test_an_end_without_an_answer_is_told),
		TEST(test_what_hangs_is_ended),
		TEST(test_what_cannot_be_started_is_told),
	};

	return cmocka_run_group_tests_name("process/ask", tests, NULL, NULL);
}
