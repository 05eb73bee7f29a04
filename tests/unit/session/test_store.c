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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "session/locks.h"
#include "session/store.h"
#include "util/text.h"

enum {
	LINES = 8,
	KEYS = 64,
	TIMEOUT_MS = 300,
	LATE_MS = 4000, /* a deadline for slow machines, not a figure */
};

/* What a fake server does with a connection beside answering. */
enum manner {
	MANNER_ANSWER, /* answer each command */
	MANNER_SPEAK,  /* say the first answer before any command, then close */
	MANNER_FORGET, /* each connection has keys of its own, as behind a balancer */
};

/* How an answer is given that begins with one of these. */
#define SLOWLY  "slowly "  /* a byte of the rest every 100 ms, for ever */
#define ENDLESS "endless " /* the rest again and again */
#define CLOSE   "close"    /* the connection */
#define SILENCE NULL

/* What the server answers otherwise than a healthy one; a command of NULL ends the list. */
struct line {
	const char *command, *answer;
};

struct script {
	enum manner manner;
	struct line lines[LINES];
};

static const struct row {
	const char *says;
	const char *options;
	struct script script;
	const char *id;     /* of the first finding that failed */
	const char *reason; /* a part of it; NULL: the store is fine */
} rows[] = {
	/* clang-format off */
	{ "a store that works", "", { 0 }, NULL, NULL },
	{ "... with a password and a database", "&auth=secret&database=2", { 0 }, NULL, NULL },
	{ "... whose user may not PING, which PHP does not need", "",
	  { .lines = { { "PING", "-NOPERM no ping\r\n" } } }, NULL, NULL },
	{ "... whose user may do nothing but what PHP needs", "",
	  { .lines = { { "PING", "-NOPERM x\r\n" }, { "TTL", "-NOPERM x\r\n" }, { "HELLO", "-NOPERM x\r\n" },
	               { "INFO", "-NOPERM x\r\n" }, { "CONFIG", "-NOPERM x\r\n" } } }, NULL, NULL },
	{ "... behind a proxy that ends conversations it does not understand", "",
	  { .lines = { { "HELLO", CLOSE } } }, NULL, NULL },
	{ "... that never answers INFO", "", { .lines = { { "INFO", SILENCE } } }, NULL, NULL },
	{ "... whose INFO has no end", "", { .lines = { { "INFO", ENDLESS "$100\r\n" } } }, NULL, NULL },
	{ "... whose HELLO is nonsense", "", { .lines = { { "HELLO", "*1000000000\r\n" } } }, NULL, NULL },
	{ "... before Redis 6", "", { .lines = { { "HELLO", "-ERR unknown command `HELLO`\r\n" } } }, NULL, NULL },
	{ "a wrong password", "&auth=secret",
	  { .lines = { { "AUTH", "-WRONGPASS invalid username-password pair\r\n" } } },
	  "auth", "refuses the password (AUTH: WRONGPASS); check auth=" },
	{ "a wrong password before Redis 6", "&auth=secret",
	  { .lines = { { "AUTH", "-ERR invalid password\r\n" } } }, "auth", "refuses the password" },
	{ "a password where there is none", "&auth=secret",
	  { .lines = { { "AUTH", "-ERR AUTH <password> called without any password configured\r\n" } } },
	  "auth", "remove auth=" },
	{ "a server that repeats what it does not know", "&auth=secret",
	  { .lines = { { "AUTH", "-ERR unknown command `AUTH`, with args beginning with: `secret`\r\n" } } },
	  "auth", "answers AUTH with an error" },
	{ "... also later", "&auth=secret&database=1",
	  { .lines = { { "SELECT", "-ERR you said AUTH secret\r\n" } } }, "database", "answers SELECT with an error" },
	{ "no password where there is one", "",
	  { .lines = { { "PING", "-NOAUTH Authentication required.\r\n" } } },
	  "auth", "wants a password (PING: 'NOAUTH Authentication required.'); add auth=PASSWORD" },
	{ "a database out of range", "&database=99",
	  { .lines = { { "SELECT", "-ERR DB index is out of range\r\n" } } }, "database", "silently uses database 0" },
	{ "a server that is loading", "", { .lines = { { "PING", "-LOADING Redis is loading\r\n" } } },
	  "loading", "is still loading" },
	{ "a read-only replica", "", { .lines = { { "SETEX", "-READONLY You can't write\r\n" } } },
	  "role", "is a read-only replica (SETEX: 'READONLY You can`t write'); name the primary" },
	{ "a replica that takes writes", "",
	  { .lines = { { "INFO", "$12\r\nrole:slave\r\n\r\n" } } }, "role", "is a replica (slave)" },
	{ "a Sentinel", "", { .lines = { { "INFO", "$21\r\nredis_mode:sentinel\r\n\r\n" } } },
	  "role", "is a Sentinel" },
	{ "a full server", "", { .lines = { { "SETEX", "-OOM command not allowed\r\n" } } },
	  "memory", "raise maxmemory" },
	{ "a full disk", "", { .lines = { { "SETEX", "-MISCONF Redis is configured\r\n" } } },
	  "persistence", "cannot save to disk" },
	{ "a user who may not write", "", { .lines = { { "SETEX", "-NOPERM this user\r\n" } } }, "acl", "+setex" },
	{ "a user who may not delete", "",
	  { .lines = { { "DEL", "-NOPERM this user\r\n" } } }, "acl", "(DEL: 'NOPERM" },
	{ "a user who may not EXPIRE, which lazy_write needs", "",
	  { .lines = { { "EXPIRE", "-NOPERM this user\r\n" } } }, "acl", "(EXPIRE: 'NOPERM" },
	{ "a user who may not EXISTS, which strict mode needs", "",
	  { .lines = { { "EXISTS", "-NOPERM this user\r\n" } } }, "acl", "(EXISTS: 'NOPERM" },
	{ "a user who may not lock", "", { .lines = { { "SET", "-NOPERM this user\r\n" } } }, "acl", "(SET: 'NOPERM" },
	{ "a user who may not EVALSHA, which makes phpredis throw", "",
	  { .lines = { { "EVALSHA", "-NOPERM this user\r\n" } } }, "acl", "(EVALSHA: 'NOPERM" },
	{ "a user who may not unlock", "", { .lines = { { "EVAL", "-NOPERM this user\r\n" } } },
	  "acl", "(EVAL: 'NOPERM" },
	{ "a lock that is not released", "", { .lines = { { "EVAL", ":0\r\n" } } },
	  "lock-commands", "answers EVAL with something else than Redis does" },
	{ "a key without an end", "", { .lines = { { "TTL", ":-1\r\n" } } }, "expiry", "sessions would never end" },
	{ "a cluster", "", { .lines = { { "SETEX", "-MOVED 1 10.0.0.1:6379\r\n" } } }, "cluster", "rediscluster" },
	{ "a cluster whose key was here by chance", "",
	  { .lines = { { "INFO", "$20\r\nredis_mode:cluster\r\n\r\n" }, { "GET other", "-MOVED 1 10.0.0.1:6379\r\n" } } },
	  "cluster", "most sessions live on other nodes" },
	{ "a cluster that is down", "", { .lines = { { "SETEX", "-CLUSTERDOWN Hash slot not served\r\n" } } },
	  "cluster", "is a cluster that is down" },
	{ "a full house, said without being asked", "",
	  { MANNER_SPEAK, { { "", "-ERR max number of clients reached\r\n" } } }, "clients", "raise maxclients" },
	{ "protected mode, said without being asked", "",
	  { MANNER_SPEAK, { { "", "-DENIED Redis is running in protected mode\r\n" } } }, "auth", "requirepass" },
	{ "an error that nobody knows", "", { .lines = { { "PING", "-WHAT now\r\n" } } },
	  "answer", "answers PING with 'WHAT now'" },
	{ "an error with control characters", "", { .lines = { { "PING", "-E\x1b[31mred\r\n" } } },
	  "answer", "'E\\x1b[31mred'" },
	{ "a web server", "", { .lines = { { "PING", "HTTP/1.1 400 Bad Request\r\n\r\n" } } },
	  "protocol", "not Redis' protocol" },
	{ "a TLS server", "", { .lines = { { "PING", "\x15\x03\x01" } } }, "protocol", "write tls://" },
	{ "garbage after a good beginning", "", { .lines = { { "PING", "$abc\r\n" } } },
	  "protocol", "not Redis' protocol" },
	{ "an array without end", "", { .lines = { { "PING", "*1000000000\r\n" } } }, "protocol", "not Redis' protocol" },
	{ "arrays of arrays", "", { .lines = { { "PING", "*16000\r\n*16000\r\n*16000\r\n" } } },
	  "protocol", "not Redis' protocol" },
	{ "an array where a word belongs", "", { .lines = { { "PING", "*1\r\n+PONG\r\n" } } },
	  "protocol", "something else than Redis does" },
	{ "another word than PONG", "", { .lines = { { "PING", "+PING\r\n" } } }, "protocol", "something else than Redis" },
	{ "OK where a value belongs", "", { .lines = { { "GET", "+OK\r\n" } } },
	  "write", "answers GET with something else" },
	{ "a key that is gone at once", "", { .lines = { { "GET", "$-1\r\n" } } }, "write", "answers GET with nothing" },
	{ "another value", "", { .lines = { { "GET", "$1\r\nx\r\n" } } }, "write", "another value than the one written" },
	{ "two answers to one question", "", { .lines = { { "PING", "+PONG\r\n+PONG\r\n" } } },
	  "protocol", "more than it was asked" },
	{ "two stores behind one address", "", { .manner = MANNER_FORGET }, "split", "there are two stores behind it" },
	{ "silence", "", { .lines = { { "PING", SILENCE } } }, "answer", "does not answer PING within 300 ms" },
	{ "silence after a while", "", { .lines = { { "SETEX", SILENCE } } },
	  "answer", "does not answer SETEX within 300 ms" },
	{ "silence about a lock", "", { .lines = { { "EVAL", SILENCE } } },
	  "answer", "does not answer EVAL within 300 ms" },
	{ "half an answer", "", { .lines = { { "PING", "+PO" } } }, "answer", "does not answer PING within 300 ms" },
	{ "a byte at a time", "", { .lines = { { "PING", SLOWLY "+" } } }, "answer", "does not answer PING within" },
	{ "a line without end", "", { .lines = { { "PING", ENDLESS "+++++++++++++++++++++++++++++++" } } },
	  "protocol", "more than any Redis would" },
	{ "a value without end", "", { .lines = { { "PING", ENDLESS "$2147483647\r\n" } } },
	  "protocol", "more than any Redis would" },
	{ "answers without end", "", { .lines = { { "PING", ENDLESS "+PONG\r\n" } } }, NULL, "; is it Redis?" },
	{ "a closed door", "", { MANNER_SPEAK, { { "", "" } } }, "answer", "closes the connection instead of answering PING" },
	{ "a door closed later", "", { .lines = { { "SETEX", CLOSE } } },
	  "answer", "closes the connection instead of answering SETEX" },
	/* clang-format on */
};

/* --- the servers --- */

struct key {
	char name[128], value[1200];
};

struct fake {
	pid_t pid;
	int fd;
	uint16_t port;
	char path[108];
	struct key *keys; /* shared with its processes */
};

static const struct line healthy[] = {
	{ "AUTH", "+OK\r\n" },
	{ "SELECT", "+OK\r\n" },
	{ "PING", "+PONG\r\n" },
	{ "TTL", ":30\r\n" },
	{ "EXPIRE", ":1\r\n" },
	{ "EXISTS", ":1\r\n" },
	{ "SET", "+OK\r\n" },
	{ "EVALSHA", "-NOSCRIPT No matching script\r\n" },
	{ "EVAL", ":1\r\n" },
	{ "DEL", ":1\r\n" },
	{ "HELLO", "*4\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nversion\r\n$5\r\n7.0.1\r\n" },
	{ "INFO", "$13\r\naof_enabled:1\r\n" },
	{ "CONFIG", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n" },
	{ NULL, NULL },
};

static void say(int fd, const char *bytes)
{
	(void)send(fd, bytes, strlen(bytes), MSG_NOSIGNAL);
}

static void answer(int fd, const char *bytes)
{
	if (strcmp(bytes, CLOSE) == 0)
		_exit(0);
	if (text_begins(bytes, ENDLESS)) {
		bytes += strlen(ENDLESS);
		while (send(fd, bytes, strlen(bytes), MSG_NOSIGNAL) > 0)
			;
	} else if (text_begins(bytes, SLOWLY)) {
		bytes += strlen(SLOWLY);
		while (send(fd, bytes, 1, MSG_NOSIGNAL) > 0)
			usleep(100 * 1000);
	} else {
		say(fd, bytes);
	}
}

/* "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" to its words.  A question comes in one piece, because the client
 * waits for each answer. */
static int words_of(char *command, char *words[8])
{
	int n = 0;
	char *save, *line = strtok_r(command, "\r\n", &save);

	while (line && n < 8 && (line = strtok_r(NULL, "\r\n", &save))) {
		words[n] = strtok_r(NULL, "\r\n", &save);
		n += words[n] != NULL;
	}
	for (int i = n; i < 8; i++)
		words[i] = "";
	return n;
}

static struct key *find_key(struct key *keys, const char *name)
{
	for (int i = 0; i < KEYS; i++)
		if (!keys[i].name[0] || strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return &keys[0];
}

static void keep(struct key *keys, const char *name, const char *value)
{
	struct key *key = find_key(keys, name);

	text_copy_cut(key->name, sizeof(key->name), name);
	text_copy_cut(key->value, sizeof(key->value), value);
}

static void answer_value(int fd, struct key *keys, const char *name)
{
	const struct key *key = find_key(keys, name);
	char bytes[2048] = "$-1\r\n";
	struct text text = TEXT(bytes);

	if (key->value[0])
		text_add(&text, "$%zu\r\n%s\r\n", strlen(key->value), key->value);
	else
		text_add(&text, "$-1\r\n");
	say(fd, bytes);
}

static const struct line *find_line(const struct line *lines, const char *command)
{
	for (; lines->command; lines++)
		if (strcmp(lines->command, command) == 0)
			return lines;
	return NULL;
}

static void answer_command(int fd, const struct script *script, struct key *keys, char *words[8])
{
	const struct line *line = find_line(script->lines, words[0]);
	bool other = strcmp(words[0], "GET") == 0 && !find_key(keys, words[1])->value[0];

	if (!line && other)
		line = find_line(script->lines, "GET other");
	if (line && line->answer)
		answer(fd, line->answer);
	if (line)
		return;
	if (strcmp(words[0], "SETEX") == 0) {
		keep(keys, words[1], words[3]);
		say(fd, "+OK\r\n");
	} else if (strcmp(words[0], "GET") == 0) {
		answer_value(fd, keys, words[1]);
	} else {
		if (strcmp(words[0], "DEL") == 0)
			keep(keys, words[1], "");
		line = find_line(healthy, words[0]);
		say(fd, line ? line->answer : "-ERR unknown command\r\n");
	}
}

static void NORETURN serve(int fd, const struct script *script, struct key *keys)
{
	static struct key own[KEYS];
	char command[4096], *words[8];
	ssize_t n;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (script->manner == MANNER_SPEAK) {
		say(fd, script->lines[0].answer);
		_exit(0);
	}
	while ((n = recv(fd, command, sizeof(command) - 1, 0)) > 0) {
		command[n] = '\0';
		if (words_of(command, words) > 0)
			answer_command(fd, script, script->manner == MANNER_FORGET ? own : keys,
			               words);
	}
	_exit(0);
}

static void NORETURN serve_all(int fd, const struct script *script, struct key *keys)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int connection = accept(fd, NULL, NULL);

		if (connection < 0)
			_exit(1);
		if (fork() == 0) {
			(void)close(fd);
			serve(connection, script, keys);
		}
		(void)close(connection);
	}
}

static void fake_fork(struct fake *fake, const struct script *script)
{
	fake->keys = mmap(NULL, KEYS * sizeof(struct key), PROT_READ | PROT_WRITE,
	                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(fake->keys, MAP_FAILED);
	assert_int_equal(listen(fake->fd, 8), 0);
	fake->pid = fork();
	assert_true(fake->pid >= 0);
	if (fake->pid == 0)
		serve_all(fake->fd, script, fake->keys);
}

static struct fake fake_start(const struct script *script)
{
	struct fake fake = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(at);
	int one = 1;

	/* Its connections inherit that, and what is left of them keeps nobody from the port. */
	assert_int_equal(setsockopt(fake.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
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
	(void)munmap(fake->keys, KEYS * sizeof(struct key));
	if (fake->path[0])
		(void)unlink(fake->path);
}

/* Its port afterwards, where nobody listens: somebody else on this machine cannot get it meanwhile.
 */
static int fake_stop_and_hold(struct fake *fake)
{
	int held = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)fake->port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	fake_stop(fake);
	assert_int_equal(setsockopt(held, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(held, (struct sockaddr *)&at, sizeof(at)), 0);
	return held;
}

/* --- questions --- */

static const struct script good = { 0 };

PRINTF_LIKE(2, 3)
static struct session_source source(const char *handler, const char *format, ...)
{
	struct session_source source = {
		.pool = "www",
		.workers = 10,
		.lazy_write = true,
		.strict_mode = true,
		.locking = true,
		.lock_wait_us = 10000,
		.lock_retries = 500,
		.lock_expire_s = 30,
	};
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

static struct findings findings; /* of the last question */

/* For one address; short only where somebody is silent, so that a slow machine changes nothing. */
static uint32_t patience_ms = LATE_MS;

static struct store_report ask_as(const struct session_source *sources, unsigned count,
                                  const struct membership *membership)
{
	struct store_query query = {
		.sources = sources,
		.count = count,
		.timeout_ms = patience_ms,
		.total_ms = 2 * LATE_MS,
		.membership = *membership,
	};
	struct store_report report;

	memset(&report, 0xa5, sizeof(report));
	memset(&findings, 0xa5, sizeof(findings));
	store_ask(&query, &findings, &report);
	for (uint32_t i = 0; i < findings.count; i++) {
		assert_null(strstr(findings.list[i].seen, "secret"));
		assert_null(strstr(findings.list[i].fix, "secret"));
		assert_null(strstr(findings.list[i].subject, "secret"));
	}
	assert_null(strstr(report.reason, "secret"));
	assert_null(strstr(report.warning, "secret"));
	return report;
}

static struct store_report ask(const struct session_source *sources, unsigned count)
{
	return ask_as(sources, count, &(struct membership){ .join = false });
}

/* The finding called @id with @result, or NULL. */
static const struct finding *find(const char *id, enum finding_result result)
{
	for (uint32_t i = 0; i < findings.count; i++)
		if (strcmp(finding_name(findings.list[i].id), id) == 0 &&
		    findings.list[i].result == result)
			return &findings.list[i];
	return NULL;
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

static bool is_silent(const struct row *row)
{
	for (size_t i = 0; i < LINES && row->script.lines[i].command; i++)
		if (row->script.lines[i].answer == SILENCE)
			return true;
	return row->reason && strstr(row->reason, " within");
}

static void check_row(const struct row *row)
{
	struct fake fake = fake_start(&row->script);
	struct session_source asked = source_of(&fake, row->options);
	int fds = count_fds();
	long start = now_ms();
	patience_ms = is_silent(row) ? TIMEOUT_MS : LATE_MS;
	struct store_report report = ask(&asked, 1);
	patience_ms = LATE_MS;
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
	if (report.warning[0])
		fail_msg("%s: warns '%s'", row->says, report.warning);
	if (!row->reason && report.reason[0])
		fail_msg("%s: has a reason '%s'", row->says, report.reason);
	if (row->id &&
	    strcmp(row->id, finding_name(findings_first(&findings, FINDING_FAILED)->id)) != 0)
		fail_msg("%s: is called '%s'", row->says,
		         finding_name(findings_first(&findings, FINDING_FAILED)->id));
	if (now_ms() - start > LATE_MS)
		fail_msg("%s: takes %ld ms", row->says, now_ms() - start);
	assert_string_equal(report.where, where);
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
	struct fake fake = fake_start(&good);
	struct session_source asked = source_of(&fake, "");

	int held = fake_stop_and_hold(&fake);
	struct store_report report = ask(&asked, 1);
	assert_int_equal(report.state, STORE_FAILED);
	assert_true(text_begins(report.reason, "127.0.0.1:"));
	assert_non_null(strstr(report.reason, ": cannot connect: Connection refused; is Redis "
	                                      "running?"));
	(void)close(held);
}

static void test_a_name_is_shown_with_its_address(void **state)
{
	(void)state;
	static const struct script loading = { .lines = { { "PING", "-LOADING x\r\n" } } };
	struct fake fake = fake_start(&loading);
	struct session_source asked = source("redis", "tcp://localhost:%u?" T, fake.port);
	struct store_report report = ask(&asked, 1);

	char begins[64];
	struct text text = TEXT(begins);

	fake_stop(&fake);
	text_add(&text, "localhost:%u (127.0.0.1): is still loading", fake.port);
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
	struct fake fake = fake_start_unix(&good);
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
	struct fake fake = fake_start(&good);
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
	static const struct script replica = { .lines = { { "SETEX", "-READONLY x\r\n" } } };
	struct fake well = fake_start(&good), bad = fake_start(&replica);
	struct session_source asked = source(
		"redis", "tcp://127.0.0.1:%u?" T ",tcp://127.0.0.1:%u?" T, well.port, bad.port);
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_FAILED);
	assert_int_equal(report.stores, 2);
	assert_int_equal(atoi(strchr(report.where, ':') + 1), bad.port);
	fake_stop(&well);
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

static void test_tls_is_connected_to_only(void **state)
{
	(void)state;
	static const struct script silent = { .lines = { { "PING", SILENCE } } };
	struct fake fake = fake_start(&silent);
	struct session_source asked = source("redis", "tls://127.0.0.1:%u?" T, fake.port);
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_OK);
	assert_string_equal(report.warning, "");
	assert_non_null(find("tls", FINDING_NOT_ASKED));
	int held = fake_stop_and_hold(&fake);
	report = ask(&asked, 1);
	assert_int_equal(report.state, STORE_FAILED);
	assert_non_null(strstr(report.reason, "Connection refused"));
	(void)close(held);
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
	struct fake fake = fake_start(&good);
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
	static const struct script evicts = {
		.lines = { { "INFO",
		             "$45\r\nmaxmemory:1\r\nmaxmemory_policy:allkeys-lru\r\n\r\n\r\n" } }
	};
	struct fake fake = fake_start(&evicts);
	struct session_source asked = source("redis", "tcp://127.0.0.1:%u?db=2", fake.port);
	struct store_report report;

	asked.locking = false;
	report = ask(&asked, 1);
	fake_stop(&fake);
	assert_int_equal(report.state, STORE_OK);
	assert_non_null(strstr(report.warning, "drops sessions when its memory is full"));
	assert_non_null(find("locking", FINDING_WARNING));
	assert_non_null(find("save-path", FINDING_WARNING));
}

/* --- members --- */

static const struct membership first = { .join = true, .id = "00000000000000aa", .every_s = 10 };

static void test_a_task_sees_itself(void **state)
{
	(void)state;
	struct fake fake = fake_start(&good);
	struct session_source asked = source_of(&fake, "");
	struct store_report report = ask_as(&asked, 1, &first);

	assert_int_equal(report.members, 1);
	assert_true(findings.members[0].self);
	assert_string_equal(findings.members[0].id, first.id);
	assert_non_null(find("members", FINDING_OK));
	assert_null(find("tasks", FINDING_UNKNOWN));
	(void)ask_as(&asked, 1, &first);
	assert_int_equal(findings.member_count, 1);
	fake_stop(&fake);
}

static void put_member(struct fake *fake, const char *id, const char *value)
{
	char name[128], index[256];
	struct text name_text = TEXT(name), index_text = TEXT(index);

	text_add(&name_text, "PHPREDIS_SESSION:__twinit:member:%s", id);
	keep(fake->keys, name, value);
	text_add(&index_text, "%s %s ",
	         find_key(fake->keys, "PHPREDIS_SESSION:__twinit:members")->value, id);
	keep(fake->keys, "PHPREDIS_SESSION:__twinit:members", index);
}

static void test_the_others_are_listed_without_the_dead_and_the_strange(void **state)
{
	(void)state;
	struct fake fake = fake_start(&good);
	struct session_source asked = source_of(&fake, "");

	put_member(&fake, "00000000000000bb", "1 php-2 php 1790000000 1790000500 10.0.1.5");
	put_member(&fake, "00000000000000cc", "");
	put_member(&fake, "00000000000000dd", "1 secret\x1b[31m - 0 0 -");
	put_member(&fake, "not-an-id", "1 x - 0 0 -");
	struct store_report report = ask_as(&asked, 1, &first);
	assert_int_equal(report.members, 2);
	assert_string_equal(findings.members[1].hostname, "php-2");
	assert_string_equal(findings.members[1].addresses, "10.0.1.5");
	assert_false(findings.members[1].self);
	assert_string_equal(find_key(fake.keys, "PHPREDIS_SESSION:__twinit:members")->value,
	                    "00000000000000aa 00000000000000bb ");
	fake_stop(&fake);
}

static void test_a_living_task_with_our_host_name_is_a_double(void **state)
{
	(void)state;
	struct fake fake = fake_start(&good);
	struct session_source asked = source_of(&fake, "");
	struct membership self = first;
	char name[65], value[256];
	struct text text = TEXT(value);

	assert_int_equal(gethostname(name, sizeof(name)), 0);
	text_add(&text, "1 %s - 1 %ld 10.0.1.9", name, (long)time(NULL));
	put_member(&fake, "00000000000000bb", value);
	self.age_s = 60;
	(void)ask_as(&asked, 1, &self);
	assert_non_null(find("hostname", FINDING_WARNING));
	assert_non_null(strstr(find("hostname", FINDING_WARNING)->seen, "10.0.1.9"));
	/* It was here before us, and has been silent since. */
	self.age_s = 0;
	text = TEXT(value);
	text_add(&text, "1 %s - 1 %ld 10.0.1.9", name, (long)time(NULL) - 5);
	keep(fake.keys, "PHPREDIS_SESSION:__twinit:member:00000000000000bb", value);
	(void)ask_as(&asked, 1, &self);
	assert_null(find("hostname", FINDING_WARNING));
	assert_int_equal(findings.member_count, 1);
	fake_stop(&fake);
}

static void test_who_leaves_takes_its_key_along(void **state)
{
	(void)state;
	struct fake fake = fake_start(&good);
	struct session_source asked = source_of(&fake, "");
	struct store_query query = {
		.sources = &asked,
		.count = 1,
		.timeout_ms = TIMEOUT_MS,
		.total_ms = TIMEOUT_MS,
		.membership = first,
	};
	static const char key[] = "PHPREDIS_SESSION:__twinit:member:00000000000000aa";

	(void)ask_as(&asked, 1, &first);
	assert_string_not_equal(find_key(fake.keys, key)->value, "");
	store_leave(&query);
	assert_string_equal(find_key(fake.keys, key)->value, "");
	fake_stop(&fake);
	store_leave(&query);
}

static void test_a_service_that_dns_does_not_know_is_unknown(void **state)
{
	(void)state;
	struct fake fake = fake_start(&good);
	struct session_source asked = source_of(&fake, "");
	struct membership self = first;

	assert_true(text_copy(self.service, sizeof(self.service), "nosuch.invalid"));
	struct store_report report = ask_as(&asked, 1, &self);
	assert_int_equal(report.state, STORE_OK);
	assert_non_null(find("tasks", FINDING_UNKNOWN));
	fake_stop(&fake);
}

static void test_all_questions_together_have_an_end(void **state)
{
	(void)state;
	static const struct script silent = { .lines = { { "PING", SILENCE } } };
	struct session_source asked[SESSION_SOURCES_MAX];
	struct fake fakes[SESSION_SOURCES_MAX];
	long start;

	for (int i = 0; i < SESSION_SOURCES_MAX; i++) {
		fakes[i] = fake_start(&silent);
		asked[i] = source_of(&fakes[i], "");
	}
	start = now_ms();
	struct store_query query = {
		.sources = asked,
		.count = SESSION_SOURCES_MAX,
		.timeout_ms = TIMEOUT_MS,
		.total_ms = 2 * TIMEOUT_MS,
	};
	struct store_report report;
	store_ask(&query, &findings, &report);
	assert_int_equal(report.state, STORE_FAILED);
	assert_true(now_ms() - start < SESSION_SOURCES_MAX * TIMEOUT_MS);
	for (int i = 0; i < SESSION_SOURCES_MAX; i++)
		fake_stop(&fakes[i]);
}

/* --- what killed workers left --- */

#define SID "PHPREDIS_SESSION:abc"

/* A pid that nobody has: of a child that is gone and reaped. */
static int dead_pid(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void put_lock(struct fake *fake, const char *hostname, int pid)
{
	char value[128];
	struct text text = TEXT(value);

	text_add(&text, "%s|%d", hostname, pid);
	keep(fake->keys, SID "_LOCK", value);
}

static struct store_report ask_to_release(const struct fake *fake)
{
	struct session_source asked = source_of(fake, "");
	struct store_query query = {
		.sources = &asked,
		.count = 1,
		.timeout_ms = TIMEOUT_MS,
		.total_ms = LATE_MS,
		.membership = first,
		.release = true,
	};
	struct store_report report;

	store_ask(&query, &findings, &report);
	return report;
}

static void test_only_locks_of_our_dead_are_released(void **state)
{
	(void)state;
	static const struct script scan = { .lines = { {
						    "SCAN",
						    "*2\r\n$1\r\n0\r\n*2\r\n$25\r\n" SID
						    "_LOCK\r\n:1\r\n",
					    } } };
	struct fake fake = fake_start(&scan);
	char name[65];

	assert_int_equal(gethostname(name, sizeof(name)), 0);
	put_lock(&fake, name, dead_pid());
	assert_int_equal(ask_to_release(&fake).released, 1);
	put_lock(&fake, name, getpid());
	assert_int_equal(ask_to_release(&fake).released, 0);
	put_lock(&fake, "another", dead_pid());
	assert_int_equal(ask_to_release(&fake).released, 0);
	assert_non_null(find("locks", FINDING_OK));
	/* Whoever has our name may have workers that we do not see. */
	char value[256];
	struct text text = TEXT(value);
	text_add(&text, "1 %s - 1 %ld 10.0.1.9", name, (long)time(NULL) + 60);
	put_member(&fake, "00000000000000bb", value);
	put_lock(&fake, name, dead_pid());
	assert_int_equal(ask_to_release(&fake).released, 0);
	assert_null(find("locks", FINDING_OK));
	fake_stop(&fake);
}

static void test_a_store_that_shows_no_locks_is_not_failed(void **state)
{
	(void)state;
	static const char *const answers[] = { "-NOPERM no scan\r\n", "+OK\r\n", "*1\r\n:1\r\n",
		                               "*2\r\n:1\r\n*0\r\n", SILENCE, CLOSE,
		                               /* never done */
		                               "*2\r\n$1\r\n7\r\n*0\r\n" };

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct script script = { .lines = { { "SCAN", answers[i] } } };
		struct fake fake = fake_start(&script);
		struct store_report report = ask_to_release(&fake);

		fake_stop(&fake);
		assert_int_equal(report.state, STORE_OK);
		assert_non_null(find("locks", FINDING_UNKNOWN));
	}
}

static void test_owners_of_locks(void **state)
{
	(void)state;
	char pattern[64];

	assert_int_equal(locks_owner("php-1|42", "php-1"), 42);
	assert_int_equal(locks_owner("php-10|42", "php-1"), 0);
	assert_int_equal(locks_owner("php-1|", "php-1"), 0);
	assert_int_equal(locks_owner("php-1|42x", "php-1"), 0);
	assert_int_equal(locks_owner("php-1|-42", "php-1"), 0);
	assert_int_equal(locks_owner("php-1|4294967297", "php-1"), 0);
	assert_int_equal(locks_owner("", ""), 0);
	locks_pattern("a*[b]?\\:", pattern, sizeof(pattern));
	assert_string_equal(pattern, "a\\*\\[b\\]\\?\\\\:*_LOCK");
}

/* --- rediscluster --- */

static const struct script one_node = { .lines = {
						{ "CLUSTER", "*0\r\n" },
					} };

static void test_a_cluster_is_asked_through_a_seed(void **state)
{
	(void)state;
	struct fake fake = fake_start(&one_node);
	struct session_source asked =
		source("rediscluster", "seed[]=127.0.0.1:%u&" T "&auth=secret", fake.port);
	struct store_report report = ask_as(&asked, 1, &first);

	assert_int_equal(report.state, STORE_OK);
	assert_true(report.uses_redis);
	assert_non_null(find("write", FINDING_OK));
	assert_non_null(find("cluster", FINDING_UNKNOWN));
	assert_int_equal(report.members, 1);
	fake_stop(&fake);
}

static void test_a_cluster_is_followed_to_another_node(void **state)
{
	(void)state;
	static char moved[64], slots[] = "*0\r\n";
	struct fake there = fake_start(&good);
	struct text text = TEXT(moved);

	text_add(&text, "-MOVED 1234 127.0.0.1:%u\r\n", there.port);
	const struct script here = { .lines = { { "CLUSTER", slots }, { "SETEX", moved } } };
	struct fake fake = fake_start(&here);
	struct session_source asked = source("rediscluster", "seed[]=127.0.0.1:%u&" T, fake.port);
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_OK);
	assert_non_null(find("write", FINDING_OK));
	fake_stop(&fake);
	fake_stop(&there);
}

static void test_nodes_that_send_us_in_circles_are_left(void **state)
{
	(void)state;
	static char moved[64];
	struct script circle = { .lines = { { "CLUSTER", "*0\r\n" }, { "SETEX", moved } } };
	struct fake well = fake_start(&good);
	struct text text = TEXT(moved);

	/* The port of a fake is known once it runs, so the circle has the size of a port. */
	text_add(&text, "-MOVED 1234 127.0.0.1:%u\r\n", well.port);
	fake_stop(&well);
	struct fake fake = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_port = htons(well.port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;
	assert_int_equal(setsockopt(fake.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(fake.fd, (struct sockaddr *)&at, sizeof(at)), 0);
	fake_fork(&fake, &circle);
	struct session_source asked = source("rediscluster", "seed[]=127.0.0.1:%u&" T, well.port);
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_FAILED);
	assert_non_null(find("cluster", FINDING_FAILED));
	fake_stop(&fake);
}

static void test_what_is_no_cluster_is_said(void **state)
{
	(void)state;
	static const struct script plain = {
		.lines = { { "CLUSTER", "-ERR This instance has cluster support disabled\r\n" } }
	};
	struct fake fake = fake_start(&plain);
	struct session_source asked = source("rediscluster", "seed[]=127.0.0.1:%u&" T, fake.port);
	struct store_report report = ask(&asked, 1);

	assert_int_equal(report.state, STORE_FAILED);
	assert_non_null(strstr(report.reason, "is no cluster; set session.save_handler = redis"));
	fake_stop(&fake);
}

static void test_a_seed_that_is_gone_is_a_warning(void **state)
{
	(void)state;
	static const char path[] = "seed[]=127.0.0.1:%u&seed[]=127.0.0.1:%u&" T;
	struct fake fake = fake_start(&one_node), gone = fake_start(&good);
	struct session_source asked = source("rediscluster", path, gone.port, fake.port);
	struct session_source second = source("rediscluster", path, fake.port, gone.port);

	int held = fake_stop_and_hold(&gone);
	struct store_report report = ask(&second, 1);
	assert_int_equal(report.state, STORE_OK);
	assert_non_null(find("connect", FINDING_WARNING));
	report = ask(&asked, 1);
	assert_int_equal(report.state, STORE_OK);
	assert_non_null(find("connect", FINDING_WARNING));
	assert_non_null(find("write", FINDING_OK));
	int other = fake_stop_and_hold(&fake);
	report = ask(&asked, 1);
	assert_int_equal(report.state, STORE_FAILED);
	assert_non_null(find("connect", FINDING_FAILED));
	(void)close(held);
	(void)close(other);
}

static void test_a_long_error_is_cut(void **state)
{
	(void)state;
	static char line[2048];
	struct script script = { .lines = { { "PING", line } } };

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
		cmocka_unit_test(test_tls_is_connected_to_only),
		cmocka_unit_test(test_a_path_that_php_misreads_fails_with_the_pool),
		cmocka_unit_test(test_traps_and_doubts_are_warnings),
		cmocka_unit_test(test_what_was_seen_is_worth_more_than_a_trap),
		cmocka_unit_test(test_a_long_error_is_cut),
		cmocka_unit_test(test_a_task_sees_itself),
		cmocka_unit_test(test_the_others_are_listed_without_the_dead_and_the_strange),
		cmocka_unit_test(test_a_living_task_with_our_host_name_is_a_double),
		cmocka_unit_test(test_who_leaves_takes_its_key_along),
		cmocka_unit_test(test_a_service_that_dns_does_not_know_is_unknown),
		cmocka_unit_test(test_all_questions_together_have_an_end),
		cmocka_unit_test(test_only_locks_of_our_dead_are_released),
		cmocka_unit_test(test_a_store_that_shows_no_locks_is_not_failed),
		cmocka_unit_test(test_owners_of_locks),
		cmocka_unit_test(test_a_cluster_is_asked_through_a_seed),
		cmocka_unit_test(test_a_cluster_is_followed_to_another_node),
		cmocka_unit_test(test_nodes_that_send_us_in_circles_are_left),
		cmocka_unit_test(test_what_is_no_cluster_is_said),
		cmocka_unit_test(test_a_seed_that_is_gone_is_a_warning),
	};
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
