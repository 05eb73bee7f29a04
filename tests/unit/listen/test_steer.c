#include <stdbool.h>

#include "listen/steer.h"
#include "sockets.h"

enum { GROUP = 5, VISITORS = 20 };

static int listener(const struct address *address, bool shared)
{
	int fd = socket(address->sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = shared;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address->sockaddr, address->length), 0);
	assert_int_equal(listen(fd, 100), 0);
	return fd;
}

static void take_one(int fd)
{
	assert_true(is_ready(fd, POLLIN, PATIENCE_MS));
	int taken = accept(fd, NULL, NULL);
	assert_true(taken >= 0);
	close(taken);
}

static void test_the_whole_group_is_steered_by_any_of_it(void **state)
{
	struct address address = free_address("127.0.0.1:%u");
	int group[GROUP];

	(void)state;
	for (int i = 0; i < GROUP; i++)
		group[i] = listener(&address, true);
	for (int wanted = GROUP - 1; wanted >= 0; wanted--) {
		assert_int_equal(steer_to(group[(wanted + 2) % GROUP], (unsigned)wanted), 0);
		for (int i = 0; i < VISITORS; i++) {
			int visitor = visit_address(&address);

			take_one(group[wanted]);
			close(visitor);
		}
		for (int i = 0; i < GROUP; i++)
			assert_false(is_ready(group[i], POLLIN, 0));
	}
	for (int i = 0; i < GROUP; i++)
		close(group[i]);
}

static void test_a_socket_of_no_group_is_not_steered(void **state)
{
	struct address address = free_address("127.0.0.1:%u");
	int fd = listener(&address, false);

	(void)state;
	assert_true(steer_to(fd, 0) < 0);
	close(fd);
	assert_int_equal(steer_to(FD_NONE, 0), -EBADF);
}

/* --- no new handshakes --- */

static void test_a_deaf_listener_keeps_its_queue_and_answers_nobody(void **state)
{
	struct address address = free_address("127.0.0.1:%u");

	(void)state;
	only_as_root();
	int fd = listener(&address, false);
	int queued = visit_address(&address);
	assert_true(is_ready(fd, POLLIN, PATIENCE_MS));
	assert_int_equal(steer_drop_syn(fd), 0);
	int late = visit_address(&address);
	assert_int_equal(outcome(late), -EAGAIN);
	take_one(fd);
	assert_false(is_ready(fd, POLLIN, 0));
	close(queued);
	close(late);
	close(fd);
}

static void test_what_was_queued_can_still_be_talked_to(void **state)
{
	struct address address = free_address("[::1]:%u");
	char text[8] = "";

	(void)state;
	only_as_root();
	int fd = listener(&address, false);
	int queued = visit_address(&address);
	assert_true(is_ready(fd, POLLIN, PATIENCE_MS));
	assert_int_equal(steer_drop_syn(fd), 0);
	int taken = accept(fd, NULL, NULL);
	assert_int_equal(send(queued, "ping", 4, 0), 4);
	assert_true(is_ready(taken, POLLIN, PATIENCE_MS));
	assert_int_equal(recv(taken, text, sizeof(text), 0), 4);
	assert_string_equal(text, "ping");
	close(taken);
	close(queued);
	close(fd);
}

static void test_a_hidden_listener_keeps_its_queue_and_is_not_found(void **state)
{
	struct address address = free_address("127.0.0.1:%u");
	int fd = listener(&address, false);

	(void)state;
	int queued = visit_address(&address);
	assert_true(is_ready(fd, POLLIN, PATIENCE_MS));
	assert_int_equal(steer_hide(fd), 0);
	int late = visit_address(&address);
	assert_true(late == -ECONNREFUSED || is_ready(late, POLLOUT, PATIENCE_MS));
	assert_int_equal(outcome(late), -ECONNREFUSED);
	take_one(fd);
	close(queued);
	fd_close(&late);
	close(fd);
}

static void test_what_is_no_socket_is_told(void **state)
{
	(void)state;
	assert_int_equal(steer_drop_syn(FD_NONE), -EBADF);
	assert_int_equal(steer_hide(FD_NONE), -EBADF);
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(steer_to(ends[0], 0), -ENOTSOCK);
	assert_int_equal(steer_by_source(ends[0], 0, 1, 1), -ENOTSOCK);
	assert_int_equal(steer_drop_syn(ends[0]), -ENOTSOCK);
	assert_int_equal(steer_hide(ends[0]), -ENOTSOCK);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_whole_group_is_steered_by_any_of_it),
		TEST(test_a_socket_of_no_group_is_not_steered),
		TEST(test_a_deaf_listener_keeps_its_queue_and_answers_nobody),
		TEST(test_what_was_queued_can_still_be_talked_to),
		TEST(test_a_hidden_listener_keeps_its_queue_and_is_not_found),
		TEST(test_what_is_no_socket_is_told),
	};

	return cmocka_run_group_tests_name("listen/steer", tests, NULL, NULL);
}
