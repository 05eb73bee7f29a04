#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>

#include "forked.h"
#include "util/proc.h"

/* --- parents --- */

static const char *const names[] = {
	"plain",      "a) S 1 (b", "((((((((((((((",  "))))))))))))))",
	"with blank", "new\nline", ") R 4242 4242 4", "",
};

static void look_for_the_parent(void *context)
{
	CHECK(prctl(PR_SET_NAME, context) == 0);
	CHECK(proc_parent(getpid()) == getppid());
}

static void test_no_name_hides_a_parent(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		in_child_row(names[i], look_for_the_parent, (void *)names[i]);
}

static pid_t somebody_gone(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void test_who_is_gone_has_no_parent(void **state)
{
	(void)state;
	assert_int_equal(proc_parent(somebody_gone()), 0);
}

static void test_a_zombie_still_has_a_parent(void **state)
{
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(proc_parent(pid), getpid());
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* --- ancestors --- */

struct wanted {
	pid_t pid;
	unsigned asked;
};

static bool is_wanted(void *context, pid_t pid)
{
	struct wanted *wanted = context;

	wanted->asked++;
	return pid == wanted->pid;
}

static void descend_from(void *context)
{
	struct wanted *wanted = context;

	CHECK(proc_descends(getpid(), is_wanted, wanted));
	CHECK(wanted->asked == 2);
}

static void test_everybody_descends_from_himself_and_his_parent(void **state)
{
	struct wanted self = { .pid = getpid() };

	(void)state;
	assert_true(proc_descends(getpid(), is_wanted, &self));
	assert_int_equal(self.asked, 1);
	in_child(descend_from, &(struct wanted){ .pid = getpid() });
}

static void test_nobody_descends_from_a_stranger(void **state)
{
	struct wanted nobody = { .pid = -1 };

	(void)state;
	assert_false(proc_descends(getpid(), is_wanted, &nobody));
	assert_in_range(nobody.asked, 1, PROC_DEPTH_MAX - 1);
}

static void test_who_is_gone_descends_from_nobody_else(void **state)
{
	struct wanted us = { .pid = getpid() };

	(void)state;
	assert_false(proc_descends(somebody_gone(), is_wanted, &us));
	assert_int_equal(us.asked, 1);
}

static void test_process_1_and_a_pid_of_another_namespace_descend_from_nobody(void **state)
{
	struct wanted any = { .pid = 1 };

	(void)state;
	assert_false(proc_descends(1, is_wanted, &any));
	assert_false(proc_descends(0, is_wanted, &any));
	assert_int_equal(any.asked, 0);
}

/* A child of a child of a child ... of which the last one asks. */
static void be_generation(void *context)
{
	unsigned *left = context;

	for (; *left > 0; --*left) {
		int status;
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0)
			continue;
		CHECK(waitpid(pid, &status, 0) == pid);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
	}
	struct wanted nobody = { .pid = -1 };
	CHECK(proc_descends(getpid(), is_wanted, &nobody));
	CHECK(nobody.asked == PROC_DEPTH_MAX);
}

static void test_too_deep_counts_as_a_descendant(void **state)
{
	unsigned generations = PROC_DEPTH_MAX;

	(void)state;
	in_child(be_generation, &generations);
}

/* --- confinement --- */

static void confine_and_look(void *context)
{
	struct proc_confinement before, now;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	(void)context;
	CHECK(proc_confinement(getpid(), &before) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(proc_confinement(getpid(), &now) == 0);
	CHECK(now.no_new_privileges);
	CHECK(now.filters == before.filters);
	for (unsigned i = 1; i <= 3; i++) {
		CHECK(seccomp_load(filter) == 0);
		CHECK(proc_confinement(getpid(), &now) == 0);
		CHECK(now.no_new_privileges);
		CHECK(now.filters == before.filters + i);
	}
	seccomp_release(filter);
}

static void test_a_childs_confinement_is_seen(void **state)
{
	(void)state;
	in_child(confine_and_look, NULL);
}

static void test_our_own_confinement_is_what_the_kernel_says(void **state)
{
	struct proc_confinement ours;

	(void)state;
	assert_int_equal(proc_confinement(getpid(), &ours), 0);
	assert_int_equal(ours.no_new_privileges, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	assert_int_equal(ours.filters > 0, prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
}

static void pretend(void *context)
{
	struct proc_confinement now;

	(void)context;
	CHECK(prctl(PR_SET_NAME, "x\nSeccomp:\t2\n") == 0);
	CHECK(proc_confinement(getpid(), &now) == 0);
	CHECK(now.filters == 0 || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
}

static void test_a_name_does_not_look_like_confinement(void **state)
{
	(void)state;
	in_child(pretend, NULL);
}

static void test_who_is_gone_has_no_confinement(void **state)
{
	struct proc_confinement theirs;

	(void)state;
	assert_int_equal(proc_confinement(somebody_gone(), &theirs), -ENOENT);
}

/* --- descendants --- */

/* A child with a child in a session of its own; both wait to be killed. */
static void make_family(void)
{
	int ready[2];
	char byte;

	CHECK(pipe2(ready, O_CLOEXEC) == 0);
	pid_t child = fork();
	if (child == 0) {
		pid_t grandchild = fork();

		if (grandchild == 0)
			(void)setsid();
		CHECK(write(ready[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK(read(ready[0], &byte, 1) == 1);
	CHECK(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
}

static void reap(unsigned count, int number)
{
	int status;

	while (count-- > 0) {
		CHECK(wait(&status) > 0);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == number);
	}
	CHECK(wait(&status) < 0 && errno == ECHILD);
}

static void signal_a_family(void *context)
{
	(void)context;
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	CHECK(proc_signal_descendants(SIGKILL) == 0);
	make_family();
	CHECK(proc_signal_descendants(0) == 2);
	CHECK(proc_signal_descendants(0) == 2);
	CHECK(proc_signal_descendants(SIGTERM) == 2);
	reap(2, SIGTERM);
	CHECK(proc_signal_descendants(SIGKILL) == 0);
}

static void test_all_descendants_are_counted_and_signalled(void **state)
{
	(void)state;
	in_child(signal_a_family, NULL);
}

static void leave_zombies_out(void *context)
{
	siginfo_t info;
	pid_t pid = fork();

	(void)context;
	if (pid == 0)
		_exit(0);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	CHECK(proc_signal_descendants(SIGKILL) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

static void test_zombies_are_no_descendants(void **state)
{
	(void)state;
	in_child(leave_zombies_out, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_name_hides_a_parent),
		TEST(test_who_is_gone_has_no_parent),
		TEST(test_a_zombie_still_has_a_parent),
		TEST(test_everybody_descends_from_himself_and_his_parent),
		TEST(test_nobody_descends_from_a_stranger),
		TEST(test_who_is_gone_descends_from_nobody_else),
		TEST(test_process_1_and_a_pid_of_another_namespace_descend_from_nobody),
		TEST(test_too_deep_counts_as_a_descendant),
		TEST(test_our_own_confinement_is_what_the_kernel_says),
		TEST(test_a_childs_confinement_is_seen),
		TEST(test_a_name_does_not_look_like_confinement),
		TEST(test_who_is_gone_has_no_confinement),
		TEST(test_all_descendants_are_counted_and_signalled),
		TEST(test_zombies_are_no_descendants),
	};

	return cmocka_run_group_tests_name("util/proc", tests, NULL, NULL);
}
