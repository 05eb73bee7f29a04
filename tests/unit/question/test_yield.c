#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "question/yield.h"

enum { WORKERS = 3 };

/* A process with children, all of which wait until they are killed. */
struct family {
	pid_t master;
	pid_t workers[WORKERS];
};

static void wait_for_ever(void)
{
	alarm(30); /* a guard */
	for (;;)
		pause();
}

static struct family new_family(void)
{
	struct family family = { 0 };
	int pair[2];

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	family.master = fork();
	if (family.master == 0) {
		setpgid(0, 0);
		for (int i = 0; i < WORKERS; i++) {
			family.workers[i] = fork();
			if (family.workers[i] == 0)
				wait_for_ever();
		}
		(void)!write(pair[1], family.workers, sizeof(family.workers));
		wait_for_ever();
	}
	assert_int_equal(read(pair[0], family.workers, sizeof(family.workers)),
	                 sizeof(family.workers));
	close(pair[0]);
	close(pair[1]);
	return family;
}

static void end(const struct family *family)
{
	assert_int_equal(kill(-family->master, SIGKILL), 0);
	assert_int_equal(waitpid(family->master, NULL, 0), family->master);
}

static cpu_set_t processors_of(pid_t pid)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(pid, sizeof(set), &set), 0);
	return set;
}

static int count_of(pid_t pid)
{
	const cpu_set_t set = processors_of(pid);

	return CPU_COUNT(&set);
}

static void test_masters_and_their_workers_keep_half(void **state)
{
	struct family first = new_family(), second = new_family();
	const struct yield_query query = { 2, { first.master, second.master } };
	const int all = count_of(0), half = all - all / 2;

	(void)state;
	yield_run(&query, -1);
	assert_int_equal(count_of(first.master), half);
	assert_int_equal(count_of(second.master), half);
	for (int i = 0; i < WORKERS; i++) {
		assert_int_equal(count_of(first.workers[i]), half);
		assert_int_equal(count_of(second.workers[i]), half);
	}
	assert_int_equal(count_of(0), all);
	end(&first);
	end(&second);
}

static void test_what_is_left_is_of_what_it_had(void **state)
{
	struct family family = new_family();
	const struct yield_query query = { 1, { family.master } };
	const cpu_set_t had = processors_of(family.master);
	cpu_set_t both;

	(void)state;
	yield_run(&query, -1);
	const cpu_set_t has = processors_of(family.master);
	CPU_AND(&both, &had, &has);
	assert_true(CPU_EQUAL(&both, &has));
	end(&family);
}

static void test_twice_is_as_once(void **state)
{
	struct family family = new_family();
	const struct yield_query query = { 1, { family.master } };
	const int all = count_of(0);

	(void)state;
	yield_run(&query, -1);
	yield_run(&query, -1);
	assert_int_equal(count_of(family.master), all - all / 2);
	end(&family);
}

static void test_one_that_may_not_run_there_is_let_be(void **state)
{
	struct family family = new_family();
	const struct yield_query query = { 1, { family.master } };
	cpu_set_t had = processors_of(family.master);

	(void)state;
	for (size_t cpu = CPU_SETSIZE; cpu > 0 && CPU_COUNT(&had) > 1; cpu--)
		CPU_CLR(cpu - 1, &had);
	assert_int_equal(sched_setaffinity(family.master, sizeof(had), &had), 0);
	yield_run(&query, -1);
	const cpu_set_t has = processors_of(family.master);
	assert_true(CPU_EQUAL(&had, &has));
	end(&family);
}

static void test_one_that_is_gone_is_no_trouble(void **state)
{
	struct family gone = new_family(), here = new_family();
	const struct yield_query query = { 2, { gone.master, here.master } };
	const int all = count_of(0);

	(void)state;
	end(&gone);
	yield_run(&query, -1);
	assert_int_equal(count_of(here.workers[0]), all - all / 2);
	end(&here);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masters_and_their_workers_keep_half),
		cmocka_unit_test(test_what_is_left_is_of_what_it_had),
		cmocka_unit_test(test_twice_is_as_once),
		cmocka_unit_test(test_one_that_may_not_run_there_is_let_be),
		cmocka_unit_test(test_one_that_is_gone_is_no_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
