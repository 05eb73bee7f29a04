#include <stdbool.h>

#include "fake_fpm.h"
#include "question/vigil.h"

static char directory[SCRATCH_PATH_SIZE];

#define OK   "Status: 200 OK\r\n\r\nfine"
#define DOWN "Status: 500 Down\r\n\r\nno database\nat all"

static int new_directory(void **state)
{
	scratch_dir(directory);
	return leaks_before(state);
}

/* Two replicas, 2 and 3, answer like this; what the vigil says in the end. */
static struct vigil_answer watch(const struct fake_answer *second, const struct fake_answer *third)
{
	struct vigil_query query = {
		.private_fd = open(directory, O_PATH | O_CLOEXEC),
		.count = 2,
		.numbers = { 2, 3 },
		.sockets = { "2.p", "3.p" },
		.root = "/srv/public",
		.health = "/health.php",
		.every_ms = 1,
		.patience_ms = 300,
	};
	struct vigil_answer answer;
	pid_t pids[] = {
		fake_fpm(at("%s/2.p", directory), "/srv/public/health.php", second),
		fake_fpm(at("%s/3.p", directory), "/srv/public/health.php", third),
	};
	int pair[2];

	assert_true(query.private_fd >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	vigil_run(&query, pair[1]);
	close(pair[1]);
	assert_int_equal(recv(pair[0], &answer, sizeof(answer), 0), sizeof(answer));
	assert_int_equal(recv(pair[0], &answer.why, 1, MSG_DONTWAIT), 0);
	close(pair[0]);
	close(query.private_fd);
	fake_end(pids[0]);
	fake_end(pids[1]);
	return answer;
}

static const struct fake_answer well[] = { { FAKE_PAGE, OK }, { FAKE_END, NULL } };

static void test_one_that_turns_bad_is_named(void **state)
{
	static const struct fake_answer later[] = {
		{ FAKE_PAGE, OK },   { FAKE_PAGE, OK },  { FAKE_PAGE, OK },
		{ FAKE_PAGE, DOWN }, { FAKE_END, NULL },
	};

	(void)state;
	struct vigil_answer answer = watch(well, later);
	assert_string_equal(answer.why, "replica 3 is not healthy: /health.php answered 500: 'no "
	                                "database'");
}

static void test_the_first_of_several_is_enough(void **state)
{
	static const struct fake_answer bad[] = { { FAKE_PAGE, DOWN }, { FAKE_END, NULL } };

	(void)state;
	struct vigil_answer answer = watch(bad, bad);
	assert_string_equal(answer.why, "replica 2 is not healthy: /health.php answered 500: 'no "
	                                "database'");
}

static void test_one_that_falls_silent_is_named(void **state)
{
	static const struct fake_answer silent[] = {
		{ FAKE_PAGE, OK },
		{ FAKE_SILENT, NULL },
		{ FAKE_END, NULL },
	};

	(void)state;
	struct vigil_answer answer = watch(silent, well);
	assert_string_equal(answer.why,
	                    "replica 2 is not healthy: /health.php did not answer in time");
}

static void test_a_worker_that_dies_of_it_is_named(void **state)
{
	static const struct fake_answer dies[] = {
		{ FAKE_PAGE, OK },
		{ FAKE_CLOSE, NULL },
		{ FAKE_END, NULL },
	};

	(void)state;
	struct vigil_answer answer = watch(well, dies);
	assert_string_equal(answer.why, "replica 3 is not healthy: /health.php got no answer, its "
	                                "worker died or broke off");
}

#define VIGIL_TEST(name) cmocka_unit_test_setup_teardown(name, new_directory, leaks_after)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VIGIL_TEST(test_one_that_turns_bad_is_named),
		VIGIL_TEST(test_the_first_of_several_is_enough),
		VIGIL_TEST(test_one_that_falls_silent_is_named),
		VIGIL_TEST(test_a_worker_that_dies_of_it_is_named),
	};

	return cmocka_run_group_tests_name("question/vigil", tests, scratch_begin, scratch_end);
}
