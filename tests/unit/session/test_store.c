/*
 * Questions to small forked servers that speak canned bytes.  "secret" stands for a password and
 * must never be in a sentence.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "session/store.h"
#include "util/text.h"

enum {
	ANSWERS = 7,
	TIMEOUT_MS = 300,
	LATE_MS = 3000, /* a deadline for slow machines, not a figure */
};

/* What a fake server does with a connection beside answering. */
enum manner {
	MANNER_ANSWER,  /* answer each command, then hold the connection */
	MANNER_SPEAK,   /* say the first answer before any command, then close */
	MANNER_SLOW,    /* a byte of the answer every 100 ms, for ever */
	MANNER_ENDLESS, /* the first answer again and again */
	MANNER_CLOSE,   /* close after the last answer */
};

/* Stands for the value that SETEX brought. */
#define VALUE "$VALUE"

struct script {
	enum manner manner;
	const char *answers[ANSWERS];
};

#define HEALTHY                                                                                    \
	{                                                                                          \
		"+PONG\r\n", "+OK\r\n", VALUE, ":1\r\n"                                            \
	}

static const struct row {
	const char *says;
	const char *options;
	struct script script;
	const char *reason; /* a part of it; NULL: the store is fine */
} rows[] = {
	/* clang-format off */
	{ "a store that works", "", { .answers = HEALTHY }, NULL },
	{ "... with a password and a database", "&auth=secret&database=2",
	  { .answers = { "+OK\r\n", "+OK\r\n", "+PONG\r\n", "+OK\r\n", VALUE, ":1\r\n" } }, NULL },
	{ "... whose user may not PING, which PHP does not need", "",
	  { .answers = { "-NOPERM no ping\r\n", "+OK\r\n", VALUE, ":1\r\n" } }, NULL },
	{ "a wrong password", "&auth=secret",
	  { .answers = { "-WRONGPASS invalid username-password pair\r\n" } },
	  "refuses the password (AUTH: WRONGPASS); check auth=" },
	{ "a wrong password before Redis 6", "&auth=secret",
	  { .answers = { "-ERR invalid password\r\n" } }, "refuses the password" },
	{ "a password where there is none", "&auth=secret",
	  { .answers = { "-ERR AUTH <password> called without any password configured\r\n" } },
	  "remove auth=" },
	{ "a server that repeats what it does not know", "&auth=secret",
	  { .answers = { "-ERR unknown command `AUTH`, with args beginning with: `secret`\r\n" } },
	  "answers AUTH with an error" },
	{ "... also later", "&auth=secret&database=1",
	  { .answers = { "+OK\r\n", "-ERR you said AUTH secret\r\n" } }, "answers SELECT with an error" },
	{ "no password where there is one", "",
	  { .answers = { "-NOAUTH Authentication required.\r\n" } },
	  "wants a password (PING: 'NOAUTH Authentication required.'); add auth=PASSWORD" },
	{ "a database out of range", "&database=99",
	  { .answers = { "-ERR DB index is out of range\r\n" } }, "silently uses database 0" },
	{ "a server that is loading", "", { .answers = { "-LOADING Redis is loading\r\n" } },
	  "is still loading" },
	{ "a replica", "", { .answers = { "+PONG\r\n", "-READONLY You can't write\r\n" } },
	  "is a read-only replica (SETEX: 'READONLY You can`t write')" },
	{ "a full server", "", { .answers = { "+PONG\r\n", "-OOM command not allowed\r\n" } },
	  "raise maxmemory" },
	{ "a full disk", "", { .answers = { "+PONG\r\n", "-MISCONF Redis is configured\r\n" } },
	  "cannot save to disk" },
	{ "a user who may not write", "", { .answers = { "+PONG\r\n", "-NOPERM this user\r\n" } },
	  "+setex" },
	{ "a user who may not delete", "",
	  { .answers = { "+PONG\r\n", "+OK\r\n", VALUE, "-NOPERM this user\r\n" } }, "(DEL: 'NOPERM" },
	{ "a cluster", "", { .answers = { "+PONG\r\n", "-MOVED 1 10.0.0.1:6379\r\n" } },
	  "rediscluster" },
	{ "a full house, said without being asked", "",
	  { MANNER_SPEAK, { "-ERR max number of clients reached\r\n" } }, "raise maxclients" },
	{ "protected mode, said without being asked", "",
	  { MANNER_SPEAK, { "-DENIED Redis is running in protected mode\r\n" } }, "requirepass" },
	{ "an error that nobody knows", "", { .answers = { "-WHAT now\r\n" } },
	  "answers PING with 'WHAT now'" },
	{ "an error with control characters", "", { .answers = { "-E\x1b[31mred\r\n" } },
	  "'E\\x1b[31mred'" },
	{ "a web server", "", { .answers = { "HTTP/1.1 400 Bad Request\r\n\r\n" } },
	  "not Redis' protocol" },
	{ "a TLS server", "", { .answers = { "\x15\x03\x01" } }, "write tls://" },
	{ "garbage after a good beginning", "", { .answers = { "$abc\r\n" } }, "not Redis' protocol" },
	{ "an array where a word belongs", "", { .answers = { "*1000000000\r\n" } },
	  "not Redis' protocol" },
	{ "another word than PONG", "", { .answers = { "+PING\r\n" } }, "something else than Redis" },
	{ "OK where a value belongs", "", { .answers = { "+PONG\r\n", "+OK\r\n", "+OK\r\n" } },
	  "answers GET with something else" },
	{ "a key that is gone at once", "", { .answers = { "+PONG\r\n", "+OK\r\n", "$-1\r\n" } },
	  "answers GET with nothing" },
	{ "another value", "", { .answers = { "+PONG\r\n", "+OK\r\n", "$1\r\nx\r\n" } },
	  "another value than the one written" },
	{ "two answers to one question", "", { .answers = { "+PONG\r\n+PONG\r\n" } },
	  "more than it was asked" },
	{ "silence", "", { .answers = { NULL } }, "does not answer PING within 300 ms" },
	{ "silence after a while", "", { .answers = { "+PONG\r\n" } },
	  "does not answer SETEX within 300 ms" },
	{ "half an answer", "", { .answers = { "+PO" } }, "does not answer PING within 300 ms" },
	{ "a byte at a time", "", { MANNER_SLOW, { "+PONG\r\n" } }, "does not answer PING within" },
	{ "a line without end", "", { MANNER_ENDLESS, { "+++++++++++++++++++++++++++++++" } },
	  "more than any Redis would" },
	{ "a value without end", "", { MANNER_ENDLESS, { "$2147483647\r\n" } },
	  "more than any Redis would" },
	{ "answers without end", "", { MANNER_ENDLESS, { "+PONG\r\n" } }, "; is it Redis?" },
	{ "a closed door", "", { MANNER_SPEAK, { NULL } }, "closes the connection instead of answering PING" },
	{ "a door closed later", "", { MANNER_CLOSE, { "+PONG\r\n" } },
	  "closes the connection instead of answering SETEX" },
	/* clang-format on */
};

/* --- the servers --- */

struct fake {
	pid_t pid;
	int fd;
	uint16_t port;
	char path[108];
};

static void say(int fd, const char *bytes)
{
	(void)send(fd, bytes, strlen(bytes), MSG_NOSIGNAL);
}

/* The last word of "*4\r\n$5\r\nSETEX\r\n...$16\r\n0123456789abcdef\r\n". */
static void keep_value(char *command, char *value, size_t size)
{
	char *end = strstr(command, "SETEX") ? strrchr(command, '\r') : NULL;
	struct text text = text_init(value, size);

	if (!end)
		return;
	*end = '\0';
	text_add(&text, "$16\r\n%s\r\n", strrchr(command, '\n') + 1);
}

static void answer_slowly(int fd, const char *bytes)
{
	for (;;) {
		(void)send(fd, bytes, 1, MSG_NOSIGNAL);
		usleep(100 * 1000);
	}
}

static void answer_for_ever(int fd, const char *bytes)
{
	while (send(fd, bytes, strlen(bytes), MSG_NOSIGNAL) > 0)
		;
}

static void answer(int fd, const struct script *script, const char *bytes, const char *value)
{
	if (script->manner == MANNER_SLOW)
		answer_slowly(fd, bytes);
	else if (script->manner == MANNER_ENDLESS)
		answer_for_ever(fd, bytes);
	else
		say(fd, strcmp(bytes, VALUE) == 0 ? value : bytes);
}

/* A question comes in one piece, because the client waits for each answer. */
static void serve(int fd, const struct script *script)
{
	char command[2048], value[64] = "";
	ssize_t n;

	if (script->manner == MANNER_SPEAK) {
		if (script->answers[0])
			say(fd, script->answers[0]);
		return;
	}
	for (int i = 0; (n = recv(fd, command, sizeof(command) - 1, 0)) > 0; i++) {
		command[n] = '\0';
		if (strstr(command, "SETEX"))
			keep_value(command, value, sizeof(value));
		if (i < ANSWERS && script->answers[i])
			answer(fd, script, script->answers[i], value);
		else if (script->manner == MANNER_CLOSE)
			return;
	}
}

static void NORETURN serve_all(int fd, const struct script *script)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int connection = accept(fd, NULL, NULL);

		if (connection < 0)
			_exit(1);
		serve(connection, script);
		(void)close(connection);
	}
}

static void fake_fork(struct fake *fake, const struct script *script)
{
	assert_int_equal(listen(fake->fd, 8), 0);
	fake->pid = fork();
	assert_true(fake->pid >= 0);
	if (fake->pid == 0)
		serve_all(fake->fd, script);
}

static struct fake fake_start(const struct script *script)
{
	struct fake fake = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(at);

	assert_int_equal(bind(fake.fd, (struct sockaddr *)&at, length), 0);
	assert_int_equal(getsockname(fake.fd, (struct sockaddr *)&at, &length), 0);
	fake.port = ntohs(at.sin_port);
	fake_fork(&fake, script);
	return fake;
}

static struct fake fake_start_unix(const struct script *script)
{
	struct fake fake = { .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct text text = TEXT(fake.path);

	text_add(&text, "/tmp/test_store.%d", getpid());
	assert_true(text_copy(at.sun_path, sizeof(at.sun_path), fake.path));
	(void)unlink(fake.path);
	assert_int_equal(bind(fake.fd, (struct sockaddr *)&at, sizeof(at)), 0);
	fake_fork(&fake, script);
	return fake;
}

static void fake_stop(struct fake *fake)
{
	(void)kill(fake->pid, SIGKILL);
	assert_int_equal(waitpid(fake->pid, NULL, 0), fake->pid);
	(void)close(fake->fd);
	if (fake->path[0])
		(void)unlink(fake->path);
}

/* --- questions --- */

static const struct script healthy = { .answers = HEALTHY };

PRINTF_LIKE(2, 3)
static struct session_source source(const char *handler, const char *format, ...)
{
	struct session_source source = { .pool = "www", .locking = true };
	struct text text = TEXT(source.save_path);
	va_list args;

	assert_true(text_copy(source.handler, sizeof(source.handler), handler));
	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
	return source;
}

#define T "timeout=1&read_timeout=1"

static struct session_source source_of(const struct fake *fake, const char *options)
{
	return source("redis", "tcp://127.0.0.1:%u?" T "%s", fake->port, options);
}

static struct store_report ask(const struct session_source *sources, unsigned count)
{
	struct store_report report;

	memset(&report, 0xa5, sizeof(report));
	store_ask(sources, count, TIMEOUT_MS, &report);
	assert_null(strstr(report.reason, "secret"));
	assert_null(strstr(report.warning, "secret"));
	return report;
}

static long now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

static void check_row(const struct row *row)
{
	struct fake fake = fake_start(&row->script);
	struct session_source asked = source_of(&fake, row->options);
	int fds = count_fds();
	long start = now_ms();
	struct store_report report = ask(&asked, 1);
	char where[32];
	struct text text = TEXT(where);

	text_add(&text, "127.0.0.1:%u", fake.port);
	fake_stop(&fake);
	if (report.state != (row->reason ? STORE_FAILED : STORE_OK))
		fail_msg("%s: state %d (%s)", row->says, report.state, report.reason);
	if (row->reason && !strstr(report.reason, row->reason))
		fail_msg("%s: says '%s'", row->says, report.reason);
	if (row->reason && !text_begins(report.reason, where))
		fail_msg("%s: does not begin with %s: '%s'", row->says, where, report.reason);
	if (!row->reason && report.reason[0])
		fail_msg("%s: has a reason '%s'", row->says, report.reason);
	if (now_ms() - start > LATE_MS)
		fail_msg("%s: takes %ld ms", row->says, now_ms() - start);
	assert_string_equal(report.where, where);
	assert_string_equal(report.warning, "");
	assert_int_equal(report.stores, 1);
	assert_true(report.uses_redis);
	assert_int_equal(count_fds(), fds - 1); /* the fake's own */
}

static void test_rows(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&rows[i]);
}

static void test_a_refused_port_asks_whether_redis_runs(void **state)
{
	(void)state;
	struct fake fake = fake_start(&healthy);
	struct session_source asked = source_of(&fake, "");

	fake_stop(&fake);
	struct store_report report = ask(&asked, 1);
	assert_int_equal(report.state, STORE_FAILED);
	assert_true(text_begins(report.reason, "cannot connect to 127.0.0.1:"));
	assert_non_null(strstr(report.reason, ": Connection refused; is Redis running?"));
}

static void test_a_name_is_shown_with_its_address(void **state)
{
	(void)state;
	static const struct script loading = { .answers = { "-LOADING x\r\n" } };
	struct fake fake = fake_start(&loading);
	struct session_source asked = source("redis", "tcp://localhost:%u?" T, fake.port);
	struct store_report report = ask(&asked, 1);

	char begins[64];
	struct text text = TEXT(begins);

	fake_stop(&fake);
	text_add(&text, "localhost:%u (127.0.0.1) is still loading", fake.port);
	assert_int_equal(report.state, STORE_FAILED);
	assert_true(text_begins(report.reason, begins));
	assert_true(text_begins(report.where, "localhost:"));
}

static void test_an_unknown_name_is_said(void **state)
{
	(void)state;
	struct session_source asked = source("redis", "tcp://nosuch.invalid:7000?" T);
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_FAILED);
	assert_true(text_begins(report.reason,
	                        "nosuch.invalid:7000: cannot resolve 'nosuch.invalid': "));
}

static void test_a_unix_socket_is_asked_too(void **state)
{
	(void)state;
	struct fake fake = fake_start_unix(&healthy);
	struct session_source asked = source("redis", "unix://%s?" T, fake.path);
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_OK);
	assert_string_equal(report.where, fake.path);
	fake_stop(&fake);
	report = ask(&asked, 1);
	assert_int_equal(report.state, STORE_FAILED);
	assert_non_null(strstr(report.reason, "No such file or directory; is Redis running"));
}

static void test_a_path_that_no_socket_can_have_is_said(void **state)
{
	(void)state;
	struct session_source asked = source("redis", "/%0200d?" T, 0);
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_FAILED);
	assert_non_null(strstr(report.reason, "at most 107 bytes"));
}

static void test_pools_that_share_a_store_ask_it_once(void **state)
{
	(void)state;
	struct fake fake = fake_start(&healthy);
	struct session_source asked[] = { source_of(&fake, ""), source_of(&fake, ""),
		                          source_of(&fake, "&prefix=b:") };
	struct store_report report = ask(asked, 2);

	assert_int_equal(report.stores, 1);
	assert_int_equal(report.state, STORE_OK);
	assert_true(report.latency_us > 0);
	report = ask(asked, 3);
	assert_int_equal(report.stores, 2);
	fake_stop(&fake);
}

static void test_one_bad_store_of_two_fails(void **state)
{
	(void)state;
	static const struct script replica = { .answers = { "+PONG\r\n", "-READONLY x\r\n" } };
	struct fake good = fake_start(&healthy), bad = fake_start(&replica);
	struct session_source asked = source(
		"redis", "tcp://127.0.0.1:%u?" T ",tcp://127.0.0.1:%u?" T, good.port, bad.port);
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_FAILED);
	assert_int_equal(report.stores, 2);
	assert_int_equal(atoi(strchr(report.where, ':') + 1), bad.port);
	fake_stop(&good);
	fake_stop(&bad);
}

static void test_nothing_is_asked_without_redis(void **state)
{
	(void)state;
	struct session_source asked[] = { source("files", "/var/lib/php/sessions"),
		                          source("memcached", "h:1") };
	struct store_report report = ask(asked, 2);

	assert_int_equal(report.state, STORE_NOT_ASKED);
	assert_false(report.uses_redis);
	assert_string_equal(report.where, "");
	assert_string_equal(report.reason, "");
	assert_string_equal(report.warning, "");
	report = ask(asked, 0);
	assert_int_equal(report.state, STORE_NOT_ASKED);
}

static void test_a_cluster_is_said_not_to_be_asked(void **state)
{
	(void)state;
	struct session_source asked = source("rediscluster", "seed[]=h:1&auth=secret");
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_NOT_ASKED);
	assert_true(report.uses_redis);
	assert_non_null(strstr(report.warning, "pool www keeps sessions in a cluster"));
}

static void test_tls_is_connected_to_only(void **state)
{
	(void)state;
	static const struct script silent = { .answers = { NULL } };
	struct fake fake = fake_start(&silent);
	struct session_source asked = source("redis", "tls://127.0.0.1:%u?" T, fake.port);
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_OK);
	assert_non_null(strstr(report.warning, "not asked over TLS"));
	fake_stop(&fake);
	report = ask(&asked, 1);
	assert_int_equal(report.state, STORE_FAILED);
	assert_non_null(strstr(report.reason, "Connection refused"));
}

static void test_a_path_that_php_misreads_fails_with_the_pool(void **state)
{
	(void)state;
	struct session_source asked = source("redis", "redis:6379?auth=secret");
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_FAILED);
	assert_int_equal(report.stores, 0);
	assert_true(text_begins(report.reason, "pool www: part 1 of session.save_path"));
}

static void test_traps_and_doubts_are_warnings(void **state)
{
	(void)state;
	struct fake fake = fake_start(&healthy);
	struct session_source asked = source_of(&fake, "&db=2");
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_OK);
	assert_true(text_begins(report.warning, "pool www: 127.0.0.1:"));
	assert_non_null(strstr(report.warning, "database is meant"));
	asked = source_of(&fake, "");
	asked.locking = false;
	report = ask(&asked, 1);
	assert_non_null(strstr(report.warning, "locking_enabled"));
	fake_stop(&fake);
}

static void test_what_was_seen_is_worth_more_than_a_trap(void **state)
{
	(void)state;
	struct fake fake = fake_start(&healthy);
	struct session_source asked = source("redis", "tls://127.0.0.1:%u?db=2", fake.port);
	struct store_report report;

	asked.locking = false;
	report = ask(&asked, 1);
	fake_stop(&fake);
	assert_non_null(strstr(report.warning, "not asked over TLS"));
}

static void test_a_long_error_is_cut(void **state)
{
	(void)state;
	static char line[2048];
	struct script script = { .answers = { line } };

	memset(line, 'x', sizeof(line) - 3);
	line[0] = '-';
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	struct fake fake = fake_start(&script);
	struct session_source asked = source_of(&fake, "");
	struct store_report report = ask(&asked, 1);

	fake_stop(&fake);
	assert_int_equal(report.state, STORE_FAILED);
	assert_true(strlen(report.reason) < 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_a_refused_port_asks_whether_redis_runs),
		cmocka_unit_test(test_a_name_is_shown_with_its_address),
		cmocka_unit_test(test_an_unknown_name_is_said),
		cmocka_unit_test(test_a_unix_socket_is_asked_too),
		cmocka_unit_test(test_a_path_that_no_socket_can_have_is_said),
		cmocka_unit_test(test_pools_that_share_a_store_ask_it_once),
		cmocka_unit_test(test_one_bad_store_of_two_fails),
		cmocka_unit_test(test_nothing_is_asked_without_redis),
		cmocka_unit_test(test_a_cluster_is_said_not_to_be_asked),
		cmocka_unit_test(test_tls_is_connected_to_only),
		cmocka_unit_test(test_a_path_that_php_misreads_fails_with_the_pool),
		cmocka_unit_test(test_traps_and_doubts_are_warnings),
		cmocka_unit_test(test_what_was_seen_is_worth_more_than_a_trap),
		cmocka_unit_test(test_a_long_error_is_cut),
	};
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
