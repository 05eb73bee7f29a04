#include <stdbool.h>

#include "fake_fpm.h"
#include "question/prime.h"
#include "util/clock.h"

#define PAGE "Status: 200 OK\r\n\r\nwarm"

enum { WORKERS = 3 };

/* A worker that answers on its connection when it is asked for these pages, in this order, thrice.
 */
static pid_t worker(int fd, const char *const pages[])
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	alarm(30);
	/* Our end must be the only one on our side, and not on the other as well. */
	for (int other = STDERR_FILENO + 1; other < 64; other++)
		if (other != fd)
			close(other);
	for (int pass = 0; pass < 3; pass++)
		for (const char *const *page = pages; *page; page++) {
			if (!fake_read(fd, *page))
				_exit(EXIT_FAILURE);
			fake_page(fd, PAGE);
		}
	/* and nothing follows */
	_exit(recv(fd, &(char){ 0 }, 1, 0) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static unsigned prime(struct prime_query *query)
{
	struct prime_answer answer;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	prime_run(query, pair[1]);
	close(pair[1]);
	assert_int_equal(recv(pair[0], &answer, sizeof(answer), 0), sizeof(answer));
	close(pair[0]);
	for (unsigned i = 0; i < query->count; i++)
		close(query->fds[i]);
	return answer.primed;
}

static struct prime_query query_of(const char *warm)
{
	struct prime_query query = { .warm_set = UINT64_MAX, .timeout_ms = 5000, .root = "/srv" };

	strcpy(query.warm, warm);
	return query;
}

static void connect_worker(struct prime_query *query, const char *const pages[], pid_t *pid)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*pid = worker(pair[1], pages);
	close(pair[1]);
	query->fds[query->count++] = pair[0];
}

static void expect_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_each_worker_runs_each_page_that_did_well(void **state)
{
	static const char *const wanted[] = { "/srv/a.php", "/srv/c.php", NULL };
	struct prime_query query = query_of(" /a.php /b.php\t/c.php ");
	pid_t pids[WORKERS];

	(void)state;
	query.warm_set = 1 | 4;
	for (int i = 0; i < WORKERS; i++)
		connect_worker(&query, wanted, &pids[i]);
	assert_int_equal(prime(&query), WORKERS);
	for (int i = 0; i < WORKERS; i++)
		expect_well(pids[i]);
}

static void test_a_worker_that_leaves_keeps_nobody_from_the_next(void **state)
{
	static const char *const both[] = { "/srv/a.php", "/srv/b.php", NULL };
	struct prime_query query = query_of("/a.php /b.php");
	int gone[2];
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gone), 0);
	close(gone[1]);
	query.fds[query.count++] = gone[0];
	connect_worker(&query, both, &pid);
	assert_int_equal(prime(&query), 1);
	expect_well(pid);
}

static void test_a_worker_that_hangs_is_left_when_the_time_is_over(void **state)
{
	struct prime_query query = query_of("/a.php");
	int silent[2];
	uint64_t began = clock_ms();

	(void)state;
	query.timeout_ms = 100;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, silent), 0);
	query.fds[query.count++] = silent[0];
	assert_int_equal(prime(&query), 0);
	assert_true(clock_ms() - began >= 100);
	close(silent[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_worker_runs_each_page_that_did_well),
		cmocka_unit_test(test_a_worker_that_leaves_keeps_nobody_from_the_next),
		cmocka_unit_test(test_a_worker_that_hangs_is_left_when_the_time_is_over),
	};

	return cmocka_run_group_tests_name("question/prime", tests, NULL, NULL);
}
