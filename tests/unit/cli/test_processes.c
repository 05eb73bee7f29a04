#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../util/leaks.h"
#include "cli/processes.h"

enum { MANY = 32 << 20 };

static struct processes seen;

static const struct process_view *find(pid_t pid)
{
	for (unsigned i = 0; i < seen.count; i++)
		if (seen.list[i].pid == pid)
			return &seen.list[i];
	return NULL;
}

static pid_t start_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static void test_we_and_our_children_are_there(void **state)
{
	pid_t child = start_child();
	uint64_t bytes;
	unsigned count;

	(void)state;
	processes_read(&seen);
	assert_non_null(find(getpid()));
	assert_int_equal(find(child)->parent, getpid());
	assert_non_null(strstr(find(getpid())->title, "test_processes"));
	assert_true(find(getpid())->has_memory && find(getpid())->memory > 0);
	assert_true(processes_sum(&seen, getpid(), &bytes, &count));
	assert_int_equal(count, 2);
	assert_true(bytes >= find(getpid())->memory);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	processes_read(&seen);
	assert_null(find(child));
	assert_false(processes_sum(&seen, child, &bytes, &count));
}

static void test_a_zombie_has_no_memory(void **state)
{
	pid_t child = start_child();
	siginfo_t info;

	(void)state;
	kill(child, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	processes_read(&seen);
	assert_int_equal(find(child)->state, 'Z');
	assert_false(find(child)->has_memory);
	waitpid(child, NULL, 0);
}

static void test_what_is_ours_alone_counts(void **state)
{
	uint64_t before, after;

	(void)state;
	assert_true(process_memory(getpid(), &before));
	char *memory = mmap(NULL, MANY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	memset(memory, 1, MANY);
	assert_true(process_memory(getpid(), &after));
	assert_true(after >= before + MANY / 2);
	munmap(memory, MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_we_and_our_children_are_there),
		TEST(test_a_zombie_has_no_memory),
		TEST(test_what_is_ours_alone_counts),
	};

	return cmocka_run_group_tests_name("cli/processes", tests, NULL, NULL);
}
