#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "../util/forked.h"
#include "confine/caps.h"
#include "process/helper.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/passing.h"

enum { NOBODY = 65534, LONG = 60000, BIG = 64 * 1024 };

static struct loop loop;
static struct inheritance inheritance;

/* An owner that keeps what it is told. */
struct owner {
	struct helper helper;
	unsigned answers, ends;
	size_t sizes[128];
	char last[256];
	int passed;
	bool keep_passed, stop_at_answer;
	const struct question *next;
	pid_t pid; /* of the process, after its end too */
};

static void on_answer(struct helper *helper, const void *answer, size_t size)
{
	struct owner *owner = container_of(helper, struct owner, helper);

	assert_int_equal(owner->ends, 0);
	if (owner->answers < ARRAY_SIZE(owner->sizes))
		owner->sizes[owner->answers] = size;
	owner->answers++;
	memcpy(owner->last, answer, size < sizeof(owner->last) ? size : sizeof(owner->last));
	if (owner->keep_passed)
		owner->passed = TAKE_FD(helper->passed_fd);
	if (owner->stop_at_answer)
		helper_stop(helper);
}

static void on_end(struct helper *helper)
{
	struct owner *owner = container_of(helper, struct owner, helper);

	assert_false(helper_running(helper));
	owner->ends++;
}

static void ask(struct owner *owner, const struct question *question)
{
	*owner = (struct owner){ .helper = { .on_answer = on_answer, .on_end = on_end },
		                 .passed = FD_NONE };
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(helper_start(&owner->helper, &loop, &inheritance, question), 0);
	owner->pid = owner->helper.pid;
	assert_true(helper_running(&owner->helper));
}

static void until_end(struct owner *owner)
{
	while (owner->ends == 0)
		assert_int_equal(loop_turn(&loop), 0);
}

static void until_answer(struct owner *owner)
{
	while (owner->answers == 0)
		assert_int_equal(loop_turn(&loop), 0);
}

static void bury(struct owner *owner, int *status)
{
	assert_int_equal(waitpid(owner->pid, status, 0), owner->pid);
	assert_null(loop.deadlines);
	loop_done(&loop);
}

/* --- answers --- */

static void say_three(const void *query, int answer_fd)
{
	static char big[BIG];

	helper_answer(answer_fd, query, 1);
	memset(big, 'b', sizeof(big));
	helper_answer(answer_fd, big, sizeof(big));
	helper_answer(answer_fd, "last", 5);
}

static void test_answers_keep_their_boundaries(void **state)
{
	const struct question question = { .run = say_three, .query = "q", .timeout_ms = LONG };
	struct owner owner;
	int status;

	(void)state;
	ask(&owner, &question);
	until_end(&owner);
	assert_int_equal(owner.answers, 3);
	assert_int_equal(owner.sizes[0], 1);
	assert_int_equal(owner.sizes[1], BIG);
	assert_int_equal(owner.sizes[2], 5);
	assert_string_equal(owner.last, "last");
	assert_int_equal(owner.ends, 1);
	assert_false(owner.helper.late);
	bury(&owner, &status);
	assert_int_equal(status, 0);
}

static void say_a_hundred(const void *query, int answer_fd)
{
	(void)query;
	for (unsigned i = 0; i < 100; i++)
		helper_answer(answer_fd, &i, sizeof(i));
}

static void test_many_answers_all_come_and_then_the_end(void **state)
{
	const struct question question = { .run = say_a_hundred, .timeout_ms = LONG };
	struct owner owner;
	int status;

	(void)state;
	ask(&owner, &question);
	until_end(&owner);
	assert_int_equal(owner.answers, 100);
	assert_int_equal(owner.ends, 1);
	bury(&owner, &status);
}

static void pass_at_last(const void *query, int answer_fd)
{
	int fd = memfd_create("passed", MFD_CLOEXEC);

	(void)query;
	(void)!write(fd, "content", 7);
	helper_answer_with_fd(answer_fd, "with", 5, fd);
}

static void test_a_descriptor_that_is_taken_is_the_owners(void **state)
{
	const struct question question = { .run = pass_at_last,
		                           .power = POWER_CONFIG,
		                           .timeout_ms = LONG };
	struct owner owner;
	char text[16] = "";
	int status;

	(void)state;
	ask(&owner, &question);
	owner.keep_passed = true;
	until_end(&owner);
	assert_true(owner.passed >= 0);
	assert_int_equal(fcntl(owner.passed, F_GETFD), FD_CLOEXEC);
	assert_int_equal(pread(owner.passed, text, sizeof(text), 0), 7);
	assert_string_equal(text, "content");
	fd_close(&owner.passed);
	bury(&owner, &status);
}

static void test_a_descriptor_that_nobody_takes_is_closed(void **state)
{
	const struct question question = { .run = pass_at_last,
		                           .power = POWER_CONFIG,
		                           .timeout_ms = LONG };
	struct owner owner;
	int status;

	(void)state;
	ask(&owner, &question);
	until_end(&owner);
	bury(&owner, &status); /* and no descriptor is left */
}

/* --- ends --- */

/* As one that was taken over might, to use up PID 1's descriptors. */
static void pass_with_nothing(const void *query, int answer_fd)
{
	int fd = memfd_create("passed", MFD_CLOEXEC);

	(void)query;
	if (passing_send(answer_fd, "", 0, fd, MSG_NOSIGNAL) != 0)
		_exit(EXIT_FAILURE);
}

static void test_a_descriptor_without_an_answer_is_closed(void **state)
{
	const struct question question = { .run = pass_with_nothing,
		                           .power = POWER_CONFIG,
		                           .timeout_ms = LONG };
	struct owner owner;
	int status;

	(void)state;
	ask(&owner, &question);
	until_end(&owner);
	assert_int_equal(owner.answers, 0);
	bury(&owner, &status);
	assert_int_equal(status, 0);
}

static void die_silently(const void *query, int answer_fd)
{
	(void)query;
	(void)answer_fd;
	raise(SIGKILL);
}

static void test_a_death_without_an_answer_is_an_end(void **state)
{
	const struct question question = { .run = die_silently, .timeout_ms = LONG };
	struct owner owner;
	int status;

	(void)state;
	ask(&owner, &question);
	until_end(&owner);
	assert_int_equal(owner.answers, 0);
	assert_int_equal(owner.ends, 1);
	assert_false(owner.helper.late);
	bury(&owner, &status);
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void return_at_once(const void *query, int answer_fd)
{
	(void)query;
	(void)answer_fd;
}

static void test_no_answer_at_all_is_an_end(void **state)
{
	const struct question question = { .run = return_at_once };
	struct owner owner;
	int status;

	(void)state;
	ask(&owner, &question);
	until_end(&owner);
	assert_int_equal(owner.answers, 0);
	bury(&owner, &status);
}

/* With a grandchild; both hold the kept pipe open, and neither leaves by itself. */
static void hang_with_a_child(const void *query, int answer_fd)
{
	(void)query;
	(void)signal(SIGTERM, SIG_IGN);
	if (fork() == 0)
		for (;;)
			pause();
	helper_answer(answer_fd, "hang", 5);
	for (;;)
		pause();
}

/* Everybody who held the other end is dead. */
static bool all_gone(int reader)
{
	struct pollfd p = { .fd = reader };

	return poll(&p, 1, 5000) == 1 && (p.revents & POLLHUP);
}

static void hold_a_pipe(int ends[2], struct question *question)
{
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	question->keep[0] = ends[1];
	question->keep_count = 1;
}

static void test_a_deadline_ends_the_whole_group(void **state)
{
	struct question question = { .run = hang_with_a_child, .timeout_ms = 40 };
	struct owner owner;
	int ends[2], status;
	uint64_t before = clock_ms();

	(void)state;
	hold_a_pipe(ends, &question);
	ask(&owner, &question);
	close(ends[1]);
	until_end(&owner);
	assert_true(owner.helper.late);
	assert_int_equal(owner.ends, 1);
	assert_true(clock_ms() - before >= 40);
	assert_true(all_gone(ends[0]));
	close(ends[0]);
	bury(&owner, &status);
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* As long as somebody has its end of the socket it looks alive, like one that cannot die. */
static void leave_the_socket_to_another(const void *query, int answer_fd)
{
	const int *until_closed = query;
	char byte;

	(void)answer_fd;
	if (fork() == 0) {
		setsid();
		_exit((int)read(*until_closed, &byte, 1));
	}
	pause();
}

static void test_one_that_does_not_die_is_not_waited_for(void **state)
{
	int ends[2], status;
	struct question question = {
		.run = leave_the_socket_to_another,
		.power = POWER_CONFIG,
		.query = &ends[0],
		.timeout_ms = 100,
	};
	struct owner owner;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	question.keep[question.keep_count++] = ends[0];
	ask(&owner, &question);
	until_end(&owner);
	assert_true(owner.helper.late);
	assert_int_equal(owner.ends, 1);
	bury(&owner, &status);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	close(ends[0]);
	close(ends[1]);
}

static void test_a_stop_ends_the_whole_group_without_a_call(void **state)
{
	struct question question = { .run = hang_with_a_child, .timeout_ms = LONG };
	struct owner owner;
	int ends[2], status;

	(void)state;
	hold_a_pipe(ends, &question);
	ask(&owner, &question);
	close(ends[1]);
	while (owner.answers == 0)
		assert_int_equal(loop_turn(&loop), 0);
	helper_stop(&owner.helper);
	assert_false(helper_running(&owner.helper));
	helper_stop(&owner.helper);
	assert_true(all_gone(ends[0]));
	close(ends[0]);
	assert_int_equal(owner.ends, 0);
	bury(&owner, &status);
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void test_one_that_has_only_been_made_can_be_stopped(void **state)
{
	const struct question question = { .run = hang_with_a_child };
	struct owner owner;
	int status;

	(void)state;
	ask(&owner, &question);
	helper_stop(&owner.helper);
	assert_int_equal(owner.ends, 0);
	bury(&owner, &status);
}

static void test_an_answer_may_stop_it(void **state)
{
	const struct question question = { .run = say_a_hundred, .timeout_ms = LONG };
	struct owner owner;
	int status;

	(void)state;
	ask(&owner, &question);
	owner.stop_at_answer = true;
	while (helper_running(&owner.helper))
		assert_int_equal(loop_turn(&loop), 0);
	assert_int_equal(owner.answers, 1);
	assert_int_equal(owner.ends, 0);
	bury(&owner, &status);
}

static void test_what_does_not_run_can_be_stopped(void **state)
{
	struct helper helper = { 0 };

	(void)state;
	assert_false(helper_running(&helper));
	helper_stop(&helper);
	helper_note_exit(&helper, getpid());
	assert_false(helper.reaped);
}

static void ask_again(struct helper *helper)
{
	struct owner *owner = container_of(helper, struct owner, helper);

	on_end(helper);
	assert_int_equal(waitpid(owner->pid, NULL, 0), owner->pid);
	if (owner->ends == 3)
		return;
	assert_int_equal(helper_start(helper, &loop, &inheritance, owner->next), 0);
	owner->pid = helper->pid;
}

static void test_an_end_may_start_another(void **state)
{
	const struct question question = { .run = return_at_once, .timeout_ms = LONG };
	struct owner owner;

	(void)state;
	ask(&owner, &question);
	owner.next = &question;
	owner.helper.on_end = ask_again;
	while (owner.ends < 3)
		assert_int_equal(loop_turn(&loop), 0);
	assert_false(helper_running(&owner.helper));
	assert_null(loop.deadlines);
	loop_done(&loop);
}

static void test_who_was_reaped_is_not_signalled(void **state)
{
	const struct question question = { .run = hang_with_a_child };
	struct owner owner;

	(void)state;
	ask(&owner, &question);
	while (owner.answers == 0)
		assert_int_equal(loop_turn(&loop), 0);
	helper_note_exit(&owner.helper, owner.pid + 1);
	assert_false(owner.helper.reaped);
	/* As if the number were somebody else's by now. */
	helper_note_exit(&owner.helper, owner.pid);
	assert_true(owner.helper.reaped);
	helper_stop(&owner.helper);
	assert_int_equal(waitpid(owner.pid, NULL, WNOHANG), 0);
	assert_int_equal(kill(owner.pid, 0), 0);
	assert_int_equal(kill(-owner.pid, SIGKILL), 0);
	bury(&owner, NULL);
}

static void test_the_end_comes_also_after_the_reaping(void **state)
{
	const struct question question = { .run = return_at_once, .timeout_ms = LONG };
	struct owner owner;

	(void)state;
	ask(&owner, &question);
	assert_int_equal(waitpid(owner.pid, NULL, 0), owner.pid);
	helper_note_exit(&owner.helper, owner.pid);
	assert_int_equal(owner.ends, 0);
	until_end(&owner);
	assert_int_equal(owner.ends, 1);
	assert_null(loop.deadlines);
	loop_done(&loop);
}

/* --- what it has --- */

struct possessions {
	uid_t uid;
	gid_t gid;
	bool groups, sys_admin, kill, no_new_privileges, filter, leads_group, only_kept_fds, mask;
};

/* What only it can say; the rest is asked of the kernel while it waits. */
static void show_possessions(const void *query, int answer_fd)
{
	const int *kept = query;
	bool well[2] = { true, true }; /* only the kept descriptors; the mask */
	sigset_t mask;
	char byte;

	for (int fd = 3; fd < 1024; fd++)
		if ((fcntl(fd, F_GETFD) >= 0) != (fd == *kept || fd == answer_fd))
			well[0] = false;
	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int signal = 1; signal < NSIG; signal++)
		if ((sigismember(&mask, signal) == 1) != (signal == SIGUSR2))
			well[1] = false;
	helper_answer(answer_fd, well, sizeof(well));
	(void)!read(answer_fd, &byte, sizeof(byte));
}

/* The number, of base @base, that follows @key in a /proc/PID/status. */
static unsigned long long status_of(const char *status, const char *key, int base)
{
	const char *at = strstr(status, key);

	assert_non_null(at);
	return strtoull(at + strlen(key), NULL, base);
}

static struct possessions look_at(pid_t pid)
{
	char path[64], status[8192];
	struct possessions p = { .leads_group = getpgid(pid) == pid };

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	assert_true(read_file(path, status, sizeof(status)) > 0);
	unsigned long long caps = status_of(status, "\nCapEff:", 16);
	p.uid = (uid_t)status_of(status, "\nUid:", 10);
	p.gid = (gid_t)status_of(status, "\nGid:", 10);
	p.groups = strstr(status, "\nGroups:\t \n") == NULL;
	p.sys_admin = (caps & CAP_BIT(CAP_SYS_ADMIN)) != 0;
	p.kill = (caps & CAP_BIT(CAP_KILL)) != 0;
	p.no_new_privileges = status_of(status, "\nNoNewPrivs:", 10) == 1;
	p.filter = status_of(status, "\nSeccomp:", 10) == 2;
	return p;
}

static struct possessions possessions_with(enum helper_power power)
{
	struct question question = {
		.run = show_possessions,
		.power = power,
		.identity = { .uid = NOBODY, .gid = NOBODY },
		.keep_count = 1,
		.timeout_ms = LONG,
	};
	int kept = dup(STDERR_FILENO), open_too = dup(STDERR_FILENO);
	struct possessions p;
	struct owner owner;
	sigset_t ours, before;
	int status;

	question.keep[0] = kept;
	question.query = &kept;
	sigemptyset(&inheritance.mask);
	sigaddset(&inheritance.mask, SIGUSR2);
	sigemptyset(&ours);
	sigaddset(&ours, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_SETMASK, &ours, &before), 0);
	ask(&owner, &question);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	until_answer(&owner);
	p = look_at(owner.pid);
	p.only_kept_fds = owner.last[0];
	p.mask = owner.last[1];
	helper_stop(&owner.helper);
	bury(&owner, &status);
	close(kept);
	close(open_too);
	return p;
}

/* clang-format off */
static const struct {
	const char *says;
	enum helper_power power;
	uid_t uid;
	bool own_group, powerful;
} powers[] = {
	{ "who tries has ours",                  POWER_TRIAL,   0,      true,  true  },
	{ "who moves links has ours",            POWER_LINKS,   0,      true,  true  },
	{ "the configuration is read as us",     POWER_CONFIG,  0,      true,  false },
	{ "private: nobody with our group",      POWER_PRIVATE, NOBODY, true,  false },
	{ "the chain: nobody with our group",    POWER_CHAIN,   NOBODY, true,  false },
	{ "the network: nobody",                 POWER_NETWORK, NOBODY, false, false },
	{ "who copies is nobody",                POWER_COPY,    NOBODY, false, false },
	{ "who chooses processors is who it is given", POWER_YIELD, NOBODY, false, false },
	{ "the program is who it is given",      POWER_PROGRAM, NOBODY, false, false },
};
/* clang-format on */

static void test_it_has_no_more_power_than_its_kind_needs(void **state)
{
	(void)state;
	only_as_root();
	for (size_t i = 0; i < ARRAY_SIZE(powers); i++) {
		struct possessions p = possessions_with(powers[i].power);

		if (p.uid != powers[i].uid || p.gid != (powers[i].own_group ? getegid() : NOBODY))
			fail_msg("%s: got user %u, group %u", powers[i].says, p.uid, p.gid);
		if (p.sys_admin != (powers[i].powerful && caps_have(CAP_SYS_ADMIN)) ||
		    p.kill != (powers[i].powerful && caps_have(CAP_KILL)) || !p.no_new_privileges ||
		    !p.filter)
			fail_msg("%s: wrong capabilities or no filter", powers[i].says);
		if (powers[i].uid == NOBODY && p.groups)
			fail_msg("%s: has groups", powers[i].says);
		if (!p.leads_group || !p.only_kept_fds || !p.mask)
			fail_msg("%s: group %d, descriptors %d, mask %d", powers[i].says,
			         p.leads_group, p.only_kept_fds, p.mask);
	}
}

static void wait_for_ever(const void *query, int answer_fd)
{
	char byte;

	(void)query;
	helper_answer(answer_fd, "here", 5);
	(void)!read(answer_fd, &byte, sizeof(byte));
	/* Our end of the socket went with our owner: now only the signal ends us. */
	for (;;)
		(void)sleep(1000);
}

static void start_and_die(void *context)
{
	const enum helper_power *power = context;
	const struct question question = { .run = wait_for_ever, .power = *power };
	struct owner owner = { .helper = { .on_answer = on_answer, .on_end = on_end } };

	CHECK(loop_init(&loop) == 0);
	CHECK(helper_start(&owner.helper, &loop, &inheritance, &question) == 0);
	while (owner.answers == 0)
		CHECK(loop_turn(&loop) == 0);
}

static void test_it_dies_with_us(void **state)
{
	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	for (enum helper_power power = POWER_TRIAL; power <= POWER_YIELD; power++) {
		int status;

		in_child(start_and_die, &power);
		alarm(10); /* a guard: one that lives on would be waited for */
		assert_true(waitpid(-1, &status, 0) > 0);
		alarm(0);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			fail_msg("power %d: status %x", (int)power, (unsigned)status);
	}
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void test_more_descriptors_than_it_may_have_are_refused(void **state)
{
	const struct question question = { .run = return_at_once,
		                           .keep_count = HELPER_KEEP_MAX + 1 };
	struct owner owner = { .helper = { .on_answer = on_answer, .on_end = on_end } };

	(void)state;
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(helper_start(&owner.helper, &loop, &inheritance, &question), -E2BIG);
	assert_false(helper_running(&owner.helper));
	assert_int_equal(owner.ends, 0);
	loop_done(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers_keep_their_boundaries),
		TEST(test_many_answers_all_come_and_then_the_end),
		TEST(test_a_descriptor_that_is_taken_is_the_owners),
		TEST(test_a_descriptor_that_nobody_takes_is_closed),
		TEST(test_a_descriptor_without_an_answer_is_closed),
		TEST(test_a_death_without_an_answer_is_an_end),
		TEST(test_no_answer_at_all_is_an_end),
		TEST(test_a_deadline_ends_the_whole_group),
		TEST(test_one_that_does_not_die_is_not_waited_for),
		TEST(test_a_stop_ends_the_whole_group_without_a_call),
		TEST(test_one_that_has_only_been_made_can_be_stopped),
		TEST(test_an_answer_may_stop_it),
		TEST(test_what_does_not_run_can_be_stopped),
		TEST(test_an_end_may_start_another),
		TEST(test_who_was_reaped_is_not_signalled),
		TEST(test_the_end_comes_also_after_the_reaping),
		TEST(test_it_has_no_more_power_than_its_kind_needs),
		TEST(test_it_dies_with_us),
		TEST(test_more_descriptors_than_it_may_have_are_refused),
	};

	return cmocka_run_group_tests_name("process/helper", tests, NULL, NULL);
}
