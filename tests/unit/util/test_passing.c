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

/* What passing_send() never does, but a process that was taken over may. */
static void send_two(int socket, int first, int second)
{
	const int both[] = { first, second };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(both))];
	} ancillary = { .header = {
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(both)),
			} };
	struct iovec part = { .iov_base = "two", .iov_len = 4 };
	const struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &ancillary,
		.msg_controllen = sizeof(ancillary),
	};

	memcpy(CMSG_DATA(&ancillary.header), both, sizeof(both));
	assert_int_equal(sendmsg(socket, &message, MSG_NOSIGNAL), 4);
}

static int lowest_free(void)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0), number = fd;

	assert_true(fd >= 0);
	fd_close(&fd);
	return number;
}

static void test_of_several_descriptors_one_comes_and_no_other_stays(void **state)
{
	(void)state;
	char word[8] = "";
	int fd = FD_NONE, before = lowest_free();

	send_two(pair[0], STDIN_FILENO, STDERR_FILENO);
	assert_int_equal(passing_receive(pair[1], word, sizeof(word), &fd, 0), 4);
	assert_int_equal(fd, before);
	fd_close(&fd);
	assert_int_equal(lowest_free(), before);
	/* The number after the first one's is free as well. */
	assert_int_equal(fcntl(before + 1, F_GETFD), -1);
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
		TEST(test_of_several_descriptors_one_comes_and_no_other_stays),
		TEST(test_no_descriptor_is_none),
		TEST(test_errors_are_those_of_the_socket),
	};
	return cmocka_run_group_tests_name("passing", tests, NULL, NULL);
}
