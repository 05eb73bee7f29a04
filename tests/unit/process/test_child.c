#include <fcntl.h>

#include <stdbool.h>

#include "../util/leaks.h"
#include "process/child.h"
#include "util/cleanup.h"

/* --- reports, as a child may leave them --- */

static const struct spawn_failure good = { STAGE_FILTERS, -EINVAL };
static const struct spawn_failure no_stage = { SPAWN_STAGE_COUNT, -EINVAL };
static const struct spawn_failure no_error = { STAGE_FILTERS, 0 };
static const struct spawn_failure odd_error = { STAGE_EXEC, 5 };

/* clang-format off */
static const struct {
	const char *says;
	const struct spawn_failure *report;
	size_t size;
	int result;
} reports[] = {
	{ "nothing: the exec worked",    &good,      0,                0        },
	{ "a failure",                   &good,      sizeof(good),     -EINVAL  },
	{ "half a failure is none",      &good,      sizeof(good) / 2, 0        },
	{ "a stage that does not exist", &no_stage,  sizeof(good),     0        },
	{ "a failure without an error",  &no_error,  sizeof(good),     -EPROTO  },
	{ "an error that is none",       &odd_error, sizeof(good),     -EPROTO  },
};
/* clang-format on */

static void test_each_report(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		enum spawn_stage stage = SPAWN_STAGE_COUNT;
		int ends[2];

		assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
		assert_int_equal(write(ends[1], reports[i].report, reports[i].size),
		                 reports[i].size);
		close(ends[1]);
		int r = spawn_report(&ends[0], &stage);
		if (r != reports[i].result)
			fail_msg("%s: got %d", reports[i].says, r);
		assert_int_equal(ends[0], FD_NONE);
		if (r < 0)
			assert_int_equal(stage, reports[i].report->stage);
	}
}

static void test_without_a_pipe_there_is_no_report(void **state)
{
	enum spawn_stage stage;
	int none = FD_NONE;

	(void)state;
	assert_int_equal(spawn_report(&none, &stage), 0);
}

/* A grandchild may hold the pipe: PID 1 does not wait for it. */
static void test_a_pipe_that_is_still_open_is_not_waited_for(void **state)
{
	enum spawn_stage stage;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(spawn_report(&ends[0], &stage), 0);
	close(ends[1]);
}

static void test_each_stage_completes_a_sentence(void **state)
{
	(void)state;

	for (enum spawn_stage stage = 0; stage < SPAWN_STAGE_COUNT; stage++) {
		assert_non_null(spawn_stage_name(stage));
		assert_in_range(strlen(spawn_stage_name(stage)), 5, 60);
	}
	assert_string_equal(spawn_stage_name(STAGE_EXEC), "be executed");
}

static void test_a_shortage_says_what_to_raise(void **state)
{
	(void)state;

	assert_non_null(strstr(child_trouble(-EAGAIN), "pids limit"));
	assert_non_null(strstr(child_trouble(-ENOMEM), "memory limit"));
	assert_string_equal(child_trouble(-ENOENT), strerror(ENOENT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_report),
		TEST(test_a_shortage_says_what_to_raise),
		TEST(test_without_a_pipe_there_is_no_report),
		TEST(test_a_pipe_that_is_still_open_is_not_waited_for),
		TEST(test_each_stage_completes_a_sentence),
	};

	return cmocka_run_group_tests_name("process/child", tests, NULL, NULL);
}
