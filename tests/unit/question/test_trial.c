#include <stdbool.h>

#include "fake_fpm.h"
#include "fpm/overlay.h"
#include "question/trial.h"
#include "util/clock.h"
#include "util/text.h"

static char directory[SCRATCH_PATH_SIZE];

static int new_directory(void **state)
{
	scratch_dir(directory);
	return leaks_before(state);
}

static struct trial_query query_of(unsigned count)
{
	struct trial_query query = {
		.private_fd = open(directory, O_PATH | O_CLOEXEC),
		.count = count,
		.probes = { "1.p", "2.p" },
		.timeout_ms = 2000,
	};

	assert_true(query.private_fd >= 0);
	return query;
}

/* Ask, with the question's descriptor closed afterwards; one answer must come. */
static struct trial_answer ask(const struct trial_query *query)
{
	struct trial_answer answer;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	trial_run(query, pair[1]);
	close(pair[1]);
	assert_int_equal(recv(pair[0], &answer, sizeof(answer), 0), sizeof(answer));
	assert_int_equal(recv(pair[0], &answer.ready, 1, MSG_DONTWAIT), 0);
	close(pair[0]);
	close(query->private_fd);
	return answer;
}

static const struct row {
	const char *says;
	struct fake_answer answer;
	bool ready;
	const char *why;
} rows[] = {
	{ "pong is an answer", { FAKE_BODY, "pong" }, true, "" },
	{ "another word is none",
	  { FAKE_BODY, "File not found." },
	  false,
	  "answered its ping with something else than pong" },
	{ "an empty page is none",
	  { FAKE_BODY, "" },
	  false,
	  "answered its ping with something else than pong" },
	{ "what is no FastCGI is none",
	  { FAKE_RAW, "HTTP/1.1 200 OK\r\n\r\npong" },
	  false,
	  "did not answer its ping" },
	{ "half an answer is none", { FAKE_RAW, "\1\6" }, false, "did not answer its ping" },
	{ "who hangs up does not answer", { FAKE_CLOSE, NULL }, false, "did not answer its ping" },
	{ "who is silent is late",
	  { FAKE_SILENT, NULL },
	  false,
	  "was not ready within start_timeout" },
};

static void test_each_answer(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct fake_answer answers[] = { rows[i].answer, { FAKE_END, NULL } };

		scratch_dir(directory);
		struct trial_query query = query_of(1);
		query.timeout_ms = rows[i].answer.kind == FAKE_SILENT ? 50 : 2000;
		pid_t pid = fake_fpm(at("%s/1.p", directory), OVERLAY_PING_PATH, answers);
		struct trial_answer answer = ask(&query);

		fake_end(pid);
		if (answer.ready != rows[i].ready ||
		    (!answer.ready && !text_begins(answer.why, rows[i].why)))
			fail_msg("%s: got %s, \"%s\"", rows[i].says,
			         answer.ready ? "ready" : "not ready", answer.why);
	}
}

static void test_nobody_there_is_told_at_once(void **state)
{
	struct trial_query query = query_of(1);

	(void)state;
	uint64_t began = clock_ms();
	struct trial_answer answer = ask(&query);
	assert_false(answer.ready);
	assert_string_equal(answer.why, "did not answer its ping");
	assert_true(clock_ms() - began < 1000);
}

static void test_who_comes_late_but_in_time_is_waited_for(void **state)
{
	static const struct fake_answer pong[] = { { FAKE_BODY, "pong" }, { FAKE_END, NULL } };
	struct trial_query query = query_of(1);
	/* The socket listens before FPM is there. */
	int listener = fake_listen(at("%s/1.p", directory));

	(void)state;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		usleep(100 * 1000);
		fake_serve(listener, OVERLAY_PING_PATH, pong);
	}
	close(listener);
	assert_true(ask(&query).ready);
	fake_end(pid);
}

static void test_each_pool_must_answer(void **state)
{
	static const struct fake_answer pong[] = { { FAKE_BODY, "pong" }, { FAKE_END, NULL } };
	static const struct fake_answer late[] = { { FAKE_SILENT, NULL }, { FAKE_END, NULL } };
	struct trial_query query = query_of(2);

	(void)state;
	pid_t first = fake_fpm(at("%s/1.p", directory), OVERLAY_PING_PATH, pong);
	pid_t second = fake_fpm(at("%s/2.p", directory), OVERLAY_PING_PATH, pong);
	assert_true(ask(&query).ready);
	fake_end(second);
	assert_int_equal(unlink(at("%s/2.p", directory)), 0);

	second = fake_fpm(at("%s/2.p", directory), OVERLAY_PING_PATH, late);
	query = query_of(2);
	query.timeout_ms = 50;
	struct trial_answer answer = ask(&query);
	assert_false(answer.ready);
	assert_string_equal(answer.why, "was not ready within start_timeout");
	fake_end(first);
	fake_end(second);
}

/* --- the site's own pages --- */

#define OK(body)                                                                                   \
	{                                                                                          \
		FAKE_BODY, body                                                                    \
	}
#define PAGE(text)                                                                                 \
	{                                                                                          \
		FAKE_PAGE, text                                                                    \
	}
#define SERVER_ERROR(x)                                                                            \
	PAGE("Status: 500 Internal Server Error\r\nContent-type: text/html\r\n\r\n" x)

static const struct site_row {
	const char *says;
	const char *health, *warm;
	struct fake_answer answers[6]; /* after the pong */
	bool ready;
	int status;
	unsigned warmed, to_warm;
	const char *why, *warm_why;
} site_rows[] = {
	{ "no script, no trial", "", "", { OK("x") }, true, 0, 0, 0, "", "" },
	{ "200 is healthy", "/h.php", "", { OK("fine") }, true, 200, 0, 0, "", "" },
	{ "204 is healthy",
	  "/h.php",
	  "",
	  { PAGE("Status: 204 No Content\r\n\r\n") },
	  true,
	  204,
	  0,
	  0,
	  "",
	  "" },
	{ "302 is not",
	  "/h.php",
	  "",
	  { PAGE("Status: 302 Found\r\nLocation: /login\r\n\r\n") },
	  false,
	  302,
	  0,
	  0,
	  "is not healthy: /h.php answered 302",
	  "" },
	{ "500 is not, and says why",
	  "/h.php",
	  "/w.php",
	  { SERVER_ERROR("\n  no database\nat line 1") },
	  false,
	  500,
	  0,
	  0,
	  "is not healthy: /h.php answered 500: 'no database'",
	  "" },
	{ "a worker that dies is not",
	  "/h.php",
	  "",
	  { { FAKE_CLOSE, NULL } },
	  false,
	  0,
	  0,
	  0,
	  "is not healthy: /h.php got no answer, its worker died or broke off",
	  "" },
	{ "silence is not",
	  "/h.php",
	  "",
	  { { FAKE_SILENT, NULL } },
	  false,
	  0,
	  0,
	  0,
	  "is not healthy: /h.php did not answer in time",
	  "" },
	{ "bytes of the terminal are quoted",
	  "/h.php",
	  "",
	  { SERVER_ERROR("\033[31m") },
	  false,
	  500,
	  0,
	  0,
	  "is not healthy: /h.php answered 500: '\\x1b[31m'",
	  "" },
	{ "pages warm up",
	  "",
	  " /a.php\t/b.php  /c.php ",
	  { OK("a"), PAGE("Status: 301 Moved\r\n\r\n"), OK("c") },
	  true,
	  0,
	  3,
	  3,
	  "",
	  "" },
	{ "a page that does not is told, and the others go on",
	  "/h.php",
	  "/a.php /b.php /c.php",
	  { OK("fine"), OK("a"), SERVER_ERROR("oops"), OK("c") },
	  true,
	  200,
	  2,
	  3,
	  "",
	  "/b.php answered 500: 'oops'" },
	{ "the first that does not is told",
	  "",
	  "/a.php /b.php",
	  { { FAKE_CLOSE, NULL }, SERVER_ERROR("oops") },
	  true,
	  0,
	  0,
	  2,
	  "",
	  "/a.php got no answer, its worker died or broke off" },
	{ "a page that hangs is left",
	  "",
	  "/a.php",
	  { { FAKE_SILENT, NULL } },
	  true,
	  0,
	  0,
	  1,
	  "",
	  "/a.php did not answer in time" },
};

static void test_each_site(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(site_rows); i++) {
		const struct site_row *row = &site_rows[i];
		struct fake_answer answers[8] = { { FAKE_BODY, "pong" } };

		memcpy(answers + 1, row->answers, sizeof(row->answers));
		scratch_dir(directory);
		struct trial_query query = query_of(1);
		strcpy(query.pages, "1.p");
		strcpy(query.root, "/srv/app/current/public");
		strcpy(query.health, row->health);
		strcpy(query.warm, row->warm);
		if (row->answers[0].kind == FAKE_SILENT)
			query.timeout_ms = 100;
		pid_t pid = fake_fpm(at("%s/1.p", directory), "", answers);
		struct trial_answer answer = ask(&query);

		fake_end(pid);
		if (answer.ready != row->ready || answer.health != row->status ||
		    answer.warmed != row->warmed || answer.to_warm != row->to_warm ||
		    strcmp(answer.why, row->why) != 0 ||
		    strcmp(answer.warm_why, row->warm_why) != 0)
			fail_msg("%s: got ready %d, health %d, warm %u of %u, \"%s\", \"%s\"",
			         row->says, answer.ready, answer.health, answer.warmed,
			         answer.to_warm, answer.why, answer.warm_why);
	}
}

#define TRIAL_TEST(name) cmocka_unit_test_setup_teardown(name, new_directory, leaks_after)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRIAL_TEST(test_each_answer),
		TRIAL_TEST(test_nobody_there_is_told_at_once),
		TRIAL_TEST(test_who_comes_late_but_in_time_is_waited_for),
		TRIAL_TEST(test_each_pool_must_answer),
		TRIAL_TEST(test_each_site),
	};

	return cmocka_run_group_tests_name("question/trial", tests, scratch_begin, scratch_end);
}
