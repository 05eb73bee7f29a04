/* Messages with and without a descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/cleanup.h"
#include "util/passing.h"

static int pair[2];

static int open_pair(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
}

static int close_pair(void **state)
{
	(void)state;
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return 0;
}

static void test_a_descriptor_comes_along(void **state)
{
	(void)state;
	char word[8] = "", byte = 0;
	int pipe_fds[2], fd = FD_NONE;

	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(passing_send(pair[0], "hello", 6, pipe_fds[0], MSG_NOSIGNAL), 6);
	assert_int_equal(passing_receive(pair[1], word, sizeof(word), &fd, 0), 6);
	assert_string_equal(word, "hello");
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	fd_close(&fd);
	fd_close(&pipe_fds[0]);
	fd_close(&pipe_fds[1]);
}

static void test_no_descriptor_is_none(void **state)
{
	(void)state;
	char word[8];
	int fd = FD_NONE;

	assert_int_equal(passing_send(pair[0], "hello", 6, FD_NONE, MSG_NOSIGNAL), 6);
	assert_int_equal(passing_receive(pair[1], word, sizeof(word), &fd, 0), 6);
	assert_int_equal(fd, FD_NONE);
}

static void test_errors_are_those_of_the_socket(void **state)
{
	(void)state;
	char word[8];
	int fd = FD_NONE;

	assert_int_equal(passing_receive(pair[1], word, sizeof(word), &fd, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	fd_close(&pair[0]);
	assert_int_equal(passing_receive(pair[1], word, sizeof(word), &fd, 0), 0);
	assert_int_equal(passing_send(pair[1], "x", 1, FD_NONE, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(fd, FD_NONE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_pair, close_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_descriptor_comes_along),
		TEST(test_no_descriptor_is_none),
		TEST(test_errors_are_those_of_the_socket),
	};
	return cmocka_run_group_tests_name("passing", tests, NULL, NULL);
}
