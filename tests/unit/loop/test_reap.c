#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "../util/forked.h"
#include "loop/reap.h"

struct reaped {
	unsigned count;
	siginfo_t last;
	bool exited_42;
};

static void on_exit_of(const siginfo_t *info, void *context)
{
	struct reaped *reaped = context;

	reaped->count++;
	reaped->last = *info;
	if (info->si_code == CLD_EXITED && info->si_status == 42)
		reaped->exited_42 = true;
}

static void wait_until_dead(pid_t pid)
{
	siginfo_t info;

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void test_without_children_there_is_nothing_to_do(void **state)
{
	struct reaped reaped = { 0 };

	(void)state;
	assert_false(reap_all(on_exit_of, &reaped));
	assert_int_equal(reaped.count, 0);
}

static void test_who_lives_is_not_waited_for(void **state)
{
	struct reaped reaped = { 0 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		char byte;

		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
	}
	assert_false(reap_all(on_exit_of, &reaped));
	assert_int_equal(reaped.count, 0);
	close(ends[0]);
	close(ends[1]);
	wait_until_dead(pid);
	assert_false(reap_all(on_exit_of, &reaped));
	assert_int_equal(reaped.count, 1);
	assert_int_equal(reaped.last.si_pid, pid);
}

/* Without a copy of us, which so many would take their time for. */
static pid_t be_dead_soon(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static void test_many_are_reaped_in_batches(void **state)
{
	static pid_t pids[REAP_BATCH + 3];
	struct reaped reaped = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = be_dead_soon();
		assert_true(pids[i] > 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		wait_until_dead(pids[i]);
	assert_true(reap_all(on_exit_of, &reaped));
	assert_int_equal(reaped.count, REAP_BATCH);
	assert_false(reap_all(on_exit_of, &reaped));
	assert_int_equal(reaped.count, ARRAY_SIZE(pids));
}

/* --- how they died --- */

/* clang-format off */
static const struct {
	const char *says;
	int status, signal; /* one of them */
	int code;
} deaths[] = {
	{ "an exit",                   0,   0,       0   },
	{ "a failure",                 7,   0,       7   },
	{ "the highest status",        255, 0,       255 },
	{ "an exit that looks like a signal", 137, 0, 137 },
	{ "SIGTERM",                   0,   SIGTERM, 143 },
	{ "SIGKILL",                   0,   SIGKILL, 137 },
	{ "a signal that dumps core",  0,   SIGSEGV, 139 },
	{ "a signal without a name",   0,   63,      191 },
};
/* clang-format on */

/* With a core where the system allows one: that is another si_code. */
static void die(int status, int number)
{
	const struct rlimit none = { 0, 0 };

	if (number == 0)
		_exit(status);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(number, SIG_DFL);
	raise(number);
}

static void test_exit_codes(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(deaths); i++) {
		struct reaped reaped = { 0 };
		pid_t pid = fork();

		if (pid == 0)
			die(deaths[i].status, deaths[i].signal);
		wait_until_dead(pid);
		assert_false(reap_all(on_exit_of, &reaped));
		if (reaped.count != 1 || exit_code_of(&reaped.last) != deaths[i].code)
			fail_msg("%s: got %d", deaths[i].says, exit_code_of(&reaped.last));
	}
}

static void test_a_core_dump_is_a_death_by_signal(void **state)
{
	siginfo_t info = { .si_code = CLD_DUMPED };

	(void)state;
	info.si_status = SIGABRT;
	assert_int_equal(exit_code_of(&info), 134);
}

static void test_who_is_stopped_is_not_dead(void **state)
{
	struct reaped reaped = { 0 };
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
	assert_false(reap_all(on_exit_of, &reaped));
	assert_int_equal(reaped.count, 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	wait_until_dead(pid);
	assert_false(reap_all(on_exit_of, &reaped));
	assert_int_equal(reaped.count, 1);
	assert_int_equal(exit_code_of(&reaped.last), 0);
}

/* --- orphans --- */

static void adopt_and_reap(void *context)
{
	struct reaped reaped = { 0 };
	siginfo_t info;

	(void)context;
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	if (fork() == 0) {
		if (fork() == 0)
			_exit(42);
		_exit(0);
	}
	while (reaped.count < 2) {
		CHECK(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0);
		CHECK(!reap_all(on_exit_of, &reaped));
	}
	CHECK(reaped.exited_42);
}

static void test_orphans_are_reaped_too(void **state)
{
	(void)state;
	in_child(adopt_and_reap, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_children_there_is_nothing_to_do),
		TEST(test_who_lives_is_not_waited_for),
		TEST(test_many_are_reaped_in_batches),
		TEST(test_exit_codes),
		TEST(test_a_core_dump_is_a_death_by_signal),
		TEST(test_who_is_stopped_is_not_dead),
		TEST(test_orphans_are_reaped_too),
	};

	return cmocka_run_group_tests_name("loop/reap", tests, NULL, NULL);
}
