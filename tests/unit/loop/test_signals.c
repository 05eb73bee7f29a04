#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "../util/forked.h"
#include "loop/signals.h"

static const int faults[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP };

static bool is_fault(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		if (faults[i] == number)
			return true;
	return false;
}

/* Nobody can block these, and the C library has some for itself. */
static bool is_out_of_reach(int number)
{
	return number == SIGKILL || number == SIGSTOP || (number >= 32 && number < SIGRTMIN);
}

static int opened(void)
{
	sigset_t old;
	int fd = signals_open(&old);

	CHECK(fd >= 0);
	return fd;
}

static int next_signal(int fd)
{
	struct signalfd_siginfo info;
	ssize_t n = read(fd, &info, sizeof(info));

	return n == sizeof(info) ? (int)info.ssi_signo : 0;
}

static void look_at_the_mask(void *context)
{
	sigset_t now;

	(void)context;
	opened();
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	for (int number = 1; number <= SIGRTMAX; number++)
		if (!is_out_of_reach(number))
			CHECK(sigismember(&now, number) == !is_fault(number));
}

static void test_all_are_blocked_but_our_own_faults(void **state)
{
	(void)state;
	in_child(look_at_the_mask, NULL);
}

static void send_each(void *context)
{
	(void)context;
	int fd = opened();

	for (int number = 1; number <= SIGRTMAX; number++) {
		if (is_out_of_reach(number) || is_fault(number))
			continue;
		CHECK(raise(number) == 0);
		CHECK(next_signal(fd) == number);
	}
	CHECK(next_signal(fd) == 0);
	CHECK(errno == EAGAIN);
}

static void test_each_blocked_one_can_be_read(void **state)
{
	(void)state;
	in_child(send_each, NULL);
}

static void ignore_all_and_send_each(void *context)
{
	for (int number = 1; number <= SIGRTMAX; number++)
		(void)signal(number, SIG_IGN);
	send_each(context);
}

static void test_those_that_were_ignored_are_taken(void **state)
{
	(void)state;
	in_child(ignore_all_and_send_each, NULL);
}

static void lose_a_child(void *context)
{
	siginfo_t info = { .si_pid = 0 };

	(void)context;
	CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	opened();
	pid_t pid = fork();
	if (pid == 0)
		_exit(7);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0);
	CHECK(info.si_pid == pid && info.si_status == 7);
}

static void test_with_sigchld_ignored_children_are_still_ours_to_reap(void **state)
{
	(void)state;
	in_child(lose_a_child, NULL);
}

static void fault(void *context)
{
	const struct rlimit none = { 0, 0 };
	const int *number = context;

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(*number, SIG_IGN);
	opened();
	raise(*number);
}

static void test_a_fault_still_kills(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		int status = forked_status(fault, (void *)&faults[i]);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != faults[i])
			fail_msg("%s: wait status %#x", strsignal(faults[i]), status);
	}
}

static void look_at_the_descriptor(void *context)
{
	(void)context;
	int fd = opened();

	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void test_the_descriptor_is_no_childs_and_never_blocks(void **state)
{
	(void)state;
	in_child(look_at_the_descriptor, NULL);
}

/* --- what a child gets back --- */

static bool same(const sigset_t *a, const sigset_t *b)
{
	for (int number = 1; number <= SIGRTMAX; number++)
		if (sigismember(a, number) != sigismember(b, number))
			return false;
	return true;
}

static void open_and_restore(void *context)
{
	sigset_t before, old, now;

	(void)context;
	sigemptyset(&before);
	sigaddset(&before, SIGUSR1);
	sigaddset(&before, SIGSEGV);
	sigaddset(&before, SIGRTMAX);
	CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
	CHECK(signals_open(&old) >= 0);
	CHECK(same(&old, &before));
	for (int number = 1; number <= SIGRTMAX; number++)
		(void)signal(number, SIG_IGN);

	signals_restore(&old);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	CHECK(same(&now, &before));
	for (int number = 1; number <= SIGRTMAX; number++) {
		struct sigaction action;

		if (is_out_of_reach(number))
			continue;
		CHECK(sigaction(number, NULL, &action) == 0);
		CHECK(action.sa_handler == SIG_DFL);
	}
}

static void test_a_child_gets_the_old_mask_and_default_dispositions(void **state)
{
	(void)state;
	in_child(open_and_restore, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_are_blocked_but_our_own_faults),
		TEST(test_each_blocked_one_can_be_read),
		TEST(test_those_that_were_ignored_are_taken),
		TEST(test_with_sigchld_ignored_children_are_still_ours_to_reap),
		TEST(test_a_fault_still_kills),
		TEST(test_the_descriptor_is_no_childs_and_never_blocks),
		TEST(test_a_child_gets_the_old_mask_and_default_dispositions),
	};

	return cmocka_run_group_tests_name("loop/signals", tests, NULL, NULL);
}
