#include "session/store.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#ifdef __GLIBC__
#include <nss.h>
#endif

#include "session/savepath.h"
#include "util/cleanup.h"
#include "util/text.h"

enum {
	PROBE_TTL_S = 30,
	PLANS_MAX = 64,
	ADDRESSES_MAX = 16,
	ANSWERS_MAX = 64 * 1024, /* bytes of all answers; ours are shorter than 1 KiB */
	QUOTE_MAX = 120,         /* bytes of the server's own words */
	CODE_MAX = 16,
	WORDS_MAX = 4,
	PROBE_RANDOM = 8,
	KEY_SIZE = STORE_PREFIX_SIZE + 64,
};

/* The stores to ask, each once, and what to warn of when nothing measured is worse. */
struct plan {
	size_t count;
	struct store_address stores[PLANS_MAX];
	char trap[SESSION_REASON_SIZE]; /* the first one */
	const char *unlocked;           /* the first pool without locking, or NULL */
};

/* One address of one store, as text and for connect(). */
struct target {
	char text[INET6_ADDRSTRLEN + sizeof("%4294967295")];
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
		struct sockaddr_un local;
	} at;
};

/* A conversation with one address. */
struct talk {
	const struct store_address *store;
	struct store_report *report; /* gets the sentence */
	int fd;
	redisReader *reader;
	uint64_t deadline_us;
	uint32_t timeout_ms;
	size_t received;
	char where[STORE_WHERE_SIZE]; /* "redis:6379 (10.0.1.3)" */
	char key[KEY_SIZE];
	char value[2 * PROBE_RANDOM + 1];
};

enum step {
	STEP_AUTH,
	STEP_SELECT,
	STEP_PING,
	STEP_WRITE,
	STEP_READ,
	STEP_DELETE,
	STEP_COUNT,
};

static const char *const step_names[STEP_COUNT] = {
	[STEP_AUTH] = "AUTH",   [STEP_SELECT] = "SELECT", [STEP_PING] = "PING",
	[STEP_WRITE] = "SETEX", [STEP_READ] = "GET",      [STEP_DELETE] = "DEL",
};

/* clang-format off */
/* What an error answer begins with, what it means after "redis:6379 ", and what to do. */
static const struct meaning {
	const char *begins, *means, *fix;
} meanings[] = {
	{ "WRONGPASS",          "refuses the password", "check auth= in session.save_path" },
	{ "ERR invalid password", "refuses the password", "check auth= in session.save_path" },
	{ "NOAUTH",             "wants a password", "add auth=PASSWORD to session.save_path" },
	{ "ERR operation not permitted", "wants a password", "add auth=PASSWORD to session.save_path" },
	{ "ERR AUTH",           "has no password, so that PHP's AUTH fails",
	                        "remove auth= from session.save_path, or set requirepass in Redis" },
	{ "ERR Client sent AUTH", "has no password, so that PHP's AUTH fails",
	                        "remove auth= from session.save_path, or set requirepass in Redis" },
	{ "ERR wrong number of arguments for 'auth'", "knows no users (Redis before 6)",
	                        "write auth=PASSWORD without the user" },
	{ "NOPERM",             "forbids its user what sessions need",
	                        "allow +get +setex +expire +del +exists +set +eval +evalsha +select "
	                        "+echo +getex on the keys below the prefix" },
	{ "READONLY",           "is a read-only replica", "name the primary in session.save_path" },
	{ "LOADING",            "is still loading its data", "wait" },
	{ "OOM",                "is out of memory and takes no writes",
	                        "raise maxmemory, or let it evict (maxmemory-policy)" },
	{ "MISCONF",            "takes no writes because it cannot save to disk",
	                        "see its log: disk full, or a directory that it may not write" },
	{ "NOREPLICAS",         "takes no writes without its replicas",
	                        "see min-replicas-to-write and the replicas" },
	{ "MASTERDOWN",         "is a replica that lost its primary",
	                        "name the primary in session.save_path" },
	{ "CLUSTERDOWN",        "is a cluster that is down", "see CLUSTER INFO" },
	{ "MOVED",              "is a cluster", "set session.save_handler = rediscluster" },
	{ "ASK ",               "is a cluster", "set session.save_handler = rediscluster" },
	{ "ERR SELECT is not allowed in cluster mode", "is a cluster",
	                        "set session.save_handler = rediscluster" },
	{ "ERR DB index",       "has no such database; phpredis 5.3 then silently uses database 0",
	                        "check database= in session.save_path and `databases` in Redis" },
	{ "ERR invalid DB index", "has no such database; phpredis 5.3 then silently uses database 0",
	                        "check database= in session.save_path and `databases` in Redis" },
	{ "ERR max number of clients", "has no connection left", "raise maxclients in Redis" },
	{ "DENIED",             "is in protected mode and takes no connection from elsewhere",
	                        "give it a password (requirepass) or bind it to a private network" },
	{ "BUSY",               "is busy with a script", "see SCRIPT KILL" },
};
/* clang-format on */

/* --- time --- */

static uint64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Wait for @events on the talk's socket.  Returns 0, -ETIMEDOUT or another negative errno. */
static int wait_for(const struct talk *talk, short events)
{
	struct pollfd ready = { .fd = talk->fd, .events = events };

	for (;;) {
		uint64_t now = now_us();

		if (now >= talk->deadline_us)
			return -ETIMEDOUT;
		uint64_t left_ms = (talk->deadline_us - now + 999) / 1000;
		int n = poll(&ready, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* --- sentences --- */

static void copy(char *to, size_t size, const char *value)
{
	struct text text = text_init(to, size);

	text_add(&text, "%s", value);
}

static void where_add(struct text *text, const struct store_address *store)
{
	if (store->port == 0)
		text_add(text, "%s", store->host);
	else
		text_add(text, strchr(store->host, ':') ? "[%s]:%u" : "%s:%u", store->host,
		         store->port);
}

static void where_write(char *to, size_t size, const struct store_address *store)
{
	struct text text = text_init(to, size);

	where_add(&text, store);
}

/* The first failure counts; the others are known when that one is mended. */
static bool fail_begin(struct store_report *report, const struct store_address *store,
                       struct text *text)
{
	if (report->state == STORE_FAILED)
		return false;
	report->state = STORE_FAILED;
	if (store)
		where_write(report->where, sizeof(report->where), store);
	*text = TEXT(report->reason);
	return true;
}

PRINTF_LIKE(3, 4)
static void fail(struct store_report *report, const struct store_address *store, const char *format,
                 ...)
{
	struct text text;
	va_list args;

	if (!fail_begin(report, store, &text))
		return;
	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
}

PRINTF_LIKE(2, 3)
static void warn(struct store_report *report, const char *format, ...)
{
	struct text text;
	va_list args;

	if (report->warning[0])
		return;
	text = TEXT(report->warning);
	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
}

/* Some servers repeat what they were sent. */
static bool holds_secret(const char *words, const struct store_address *store)
{
	char beginning[9];

	if (!store->password[0])
		return false;
	copy(beginning, sizeof(beginning), store->password);
	return strstr(words, beginning);
}

/* The first word of an error, when it is a code such as WRONGPASS; ERR says nothing. */
static void add_code(struct text *text, const char *words)
{
	size_t length = strspn(words, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	bool code = length > strlen("ERR") && length < CODE_MAX &&
	            (words[length] == ' ' || words[length] == '\0');

	if (code)
		text_add(text, "%.*s", (int)length, words);
	else
		text_add(text, "an error");
}

/*
 * The server's own words.  Of the answer to AUTH only the code: a server that does not know AUTH
 * repeats its arguments ("unknown command `AUTH`, with args beginning with: ...").
 */
static void add_words(struct text *text, const struct talk *talk, enum step step,
                      const redisReply *reply)
{
	char words[QUOTE_MAX + 1];

	copy(words, sizeof(words), reply->str);
	for (char *c = words; *c; c++)
		if (*c == '\'')
			*c = '`'; /* reads better than \x27 */
	if (step == STEP_AUTH || holds_secret(reply->str, talk->store))
		add_code(text, words);
	else
		text_add_quoted(text, words);
}

static const struct meaning *meaning_of(const char *words)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (strncasecmp(words, meanings[i].begins, strlen(meanings[i].begins)) == 0)
			return &meanings[i];
	return NULL;
}

static int fail_error(struct talk *talk, enum step step, const redisReply *reply)
{
	const struct meaning *meaning = meaning_of(reply->str);
	struct text text;

	if (!fail_begin(talk->report, talk->store, &text))
		return -EREMOTEIO;
	if (meaning)
		text_add(&text, "%s %s (%s: ", talk->where, meaning->means, step_names[step]);
	else
		text_add(&text, "%s answers %s with ", talk->where, step_names[step]);
	add_words(&text, talk, step, reply);
	if (meaning)
		text_add(&text, "); %s", meaning->fix);
	else if (step == STEP_AUTH)
		text_add(&text, "; is AUTH renamed or forbidden there?");
	return -EREMOTEIO;
}

static int fail_answer(struct talk *talk, enum step step, const char *what)
{
	fail(talk->report, talk->store, "%s answers %s with %s", talk->where, step_names[step],
	     what);
	return -EPROTO;
}

/* A TLS server answers plain text with an alert, whose first byte is 21. */
static int fail_protocol(struct talk *talk, enum step step, char first)
{
	if (first == 0x15)
		return fail_answer(talk, step, "TLS; write tls:// in session.save_path");
	return fail_answer(talk, step,
	                   "what is not Redis' protocol; check host and port in session.save_path");
}

static int fail_socket(struct talk *talk, enum step step, int error)
{
	if (error == -ETIMEDOUT)
		fail(talk->report, talk->store, "%s does not answer %s within %u ms", talk->where,
		     step_names[step], talk->timeout_ms);
	else if (error == -ENODATA || error == -ECONNRESET || error == -EPIPE)
		fail(talk->report, talk->store,
		     "%s closes the connection instead of answering %s; is it Redis, and does it "
		     "want TLS?",
		     talk->where, step_names[step]);
	else
		fail(talk->report, talk->store, "%s: cannot ask %s: %s", talk->where,
		     step_names[step], strerror(-error));
	return error;
}

/* --- bytes --- */

static int send_all(const struct talk *talk, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = send(talk->fd, bytes, length, MSG_NOSIGNAL);
		int r = n < 0 && errno != EINTR ? -errno : 0;

		if (r == -EAGAIN)
			r = wait_for(talk, POLLOUT);
		if (r < 0)
			return r;
		if (n > 0) {
			bytes += n;
			length -= (size_t)n;
		}
	}
	return 0;
}

/* Returns how many bytes came, -ENODATA at the end of the stream, or a negative errno. */
static ssize_t receive(const struct talk *talk, char *bytes, size_t size)
{
	int r = wait_for(talk, POLLIN);

	if (r < 0)
		return r;
	ssize_t n = recv(talk->fd, bytes, size, 0);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	return n == 0 ? -ENODATA : n;
}

/* A reply from the reader; NULL while it is incomplete.  Negative when it is not Redis'. */
static int reply_take(struct talk *talk, redisReply **reply)
{
	void *object = NULL;
	int r = redisReaderGetReply(talk->reader, &object);

	*reply = object;
	return r == REDIS_OK ? 0 : -EPROTO;
}

static bool is_reply_type(char c)
{
	return c == '+' || c == '-' || c == ':' || c == '$';
}

static int reply_wait(struct talk *talk, enum step step, redisReply **reply)
{
	char bytes[4096];
	char first = 0;
	int r = reply_take(talk, reply);

	while (r == 0 && !*reply) {
		ssize_t n = receive(talk, bytes, sizeof(bytes));

		if (n < 0)
			return fail_socket(talk, step, (int)n);
		if (n == 0)
			continue;
		/* Never an array: hiredis would allocate as many elements as it is told. */
		if (first == 0)
			first = bytes[0];
		if (!is_reply_type(first))
			return fail_protocol(talk, step, first);
		talk->received += (size_t)n;
		if (talk->received > ANSWERS_MAX)
			return fail_answer(talk, step, "more than any Redis would; is it Redis?");
		if (redisReaderFeed(talk->reader, bytes, (size_t)n) != REDIS_OK)
			return fail_protocol(talk, step, first);
		r = reply_take(talk, reply);
	}
	return r < 0 ? fail_protocol(talk, step, first) : 0;
}

/* --- the questions --- */

/* The words of one question; 0 when this store needs none. */
static int step_words(const struct talk *talk, enum step step, char *number,
                      const char *words[WORDS_MAX])
{
	const struct store_address *store = talk->store;
	int n = 0;

	words[n++] = step_names[step];
	switch (step) {
	case STEP_AUTH:
		if (!store->has_auth)
			return 0;
		if (store->user[0])
			words[n++] = store->user;
		words[n++] = store->password;
		return n;
	case STEP_SELECT:
		if (store->database < 0)
			return 0;
		words[n++] = number;
		return n;
	case STEP_PING:
		return n;
	case STEP_WRITE:
		words[n++] = talk->key;
		words[n++] = number;
		words[n++] = talk->value;
		return n;
	case STEP_READ:
	case STEP_DELETE:
		words[n++] = talk->key;
		return n;
	case STEP_COUNT:
		break;
	}
	return 0;
}

static int step_ask(struct talk *talk, enum step step, redisReply **reply)
{
	const char *words[WORDS_MAX];
	char number[sizeof("-2147483648")];
	struct text text = TEXT(number);
	char *bytes = NULL;

	text_add(&text, "%d", step == STEP_SELECT ? talk->store->database : PROBE_TTL_S);
	int count = step_words(talk, step, number, words);
	if (count == 0)
		return 0;
	int length = redisFormatCommandArgv(&bytes, count, words, NULL);
	if (length < 0)
		return fail_socket(talk, step, -ENOMEM);
	int r = send_all(talk, bytes, (size_t)length);
	redisFreeCommand(bytes);
	/* A server that closes at once may have said why: read that before the broken pipe. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return fail_socket(talk, step, r);
	return reply_wait(talk, step, reply);
}

static bool is_status(const redisReply *reply, const char *status)
{
	return reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, status) == 0;
}

static bool is_right(const struct talk *talk, enum step step, const redisReply *reply)
{
	switch (step) {
	case STEP_AUTH:
	case STEP_SELECT:
	case STEP_WRITE:
		return is_status(reply, "OK");
	case STEP_PING:
		return is_status(reply, "PONG");
	case STEP_READ:
		return reply->type == REDIS_REPLY_STRING && strcmp(reply->str, talk->value) == 0;
	case STEP_DELETE:
		return reply->type == REDIS_REPLY_INTEGER;
	case STEP_COUNT:
		break;
	}
	return false;
}

/* PHP needs no PING, so that a user without it is fine; it finds LOADING and NOAUTH early. */
static bool is_forgiven(enum step step, const redisReply *reply)
{
	return step == STEP_PING && text_begins(reply->str, "NOPERM");
}

static int step_judge(struct talk *talk, enum step step, const redisReply *reply)
{
	if (is_right(talk, step, reply))
		return 0;
	if (reply->type == REDIS_REPLY_ERROR)
		return is_forgiven(step, reply) ? 0 : fail_error(talk, step, reply);
	if (step == STEP_READ && reply->type == REDIS_REPLY_NIL)
		return fail_answer(talk, step,
		                   "nothing, although the key was written just now; does it evict "
		                   "keys, or are several stores behind this address?");
	if (step == STEP_READ && reply->type == REDIS_REPLY_STRING)
		return fail_answer(talk, step, "another value than the one written just now");
	return fail_answer(talk, step, "something else than Redis does; is it Redis?");
}

static int step_run(struct talk *talk, enum step step)
{
	redisReply *reply = NULL;
	int r = step_ask(talk, step, &reply);

	if (r == 0 && reply)
		r = step_judge(talk, step, reply);
	if (reply)
		freeReplyObject(reply);
	if (r == 0 && talk->reader->pos < talk->reader->len)
		return fail_answer(talk, step, "more than it was asked; is it Redis?");
	return r;
}

static void probe_name(struct talk *talk)
{
	unsigned char noise[2 * PROBE_RANDOM];
	struct text key = TEXT(talk->key), value = TEXT(talk->value);

	if (getrandom(noise, sizeof(noise), GRND_NONBLOCK) != (ssize_t)sizeof(noise)) {
		uint64_t now = now_us(), pid = (uint64_t)getpid();

		memcpy(noise, &now, PROBE_RANDOM);
		memcpy(noise + PROBE_RANDOM, &pid, PROBE_RANDOM);
	}
	text_add(&key, "%s__twinit:probe:", talk->store->prefix);
	for (size_t i = 0; i < PROBE_RANDOM; i++) {
		text_add(&key, "%02x", noise[i]);
		text_add(&value, "%02x", noise[PROBE_RANDOM + i]);
	}
}

static int talk_run(struct talk *talk)
{
	int r = 0;

	talk->reader = redisReaderCreate();
	if (!talk->reader)
		return fail_socket(talk, STEP_PING, -ENOMEM);
	probe_name(talk);
	for (int step = 0; r == 0 && step < STEP_COUNT; step++)
		r = step_run(talk, (enum step)step);
	redisReaderFree(talk->reader);
	return r;
}

/* --- connections --- */

/* Returns 0 and an fd in talk->fd, or a negative errno. */
static int talk_connect(struct talk *talk, const struct target *target)
{
	int error = 0;
	socklen_t length = sizeof(error);

	talk->fd = socket(target->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (talk->fd < 0)
		return -errno;
	if (connect(talk->fd, &target->at.any, target->length) == 0)
		return 0;
	/* connect(2): an interrupted connect goes on by itself, like one in progress. */
	if (errno != EINPROGRESS && errno != EINTR)
		return -errno;
	int r = wait_for(talk, POLLOUT);
	if (r < 0)
		return r;
	if (getsockopt(talk->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return -errno;
	return -error;
}

static const char *connect_fix(const struct store_address *store, int error)
{
	switch (-error) {
	case ECONNREFUSED:
		return "is Redis running?";
	case ENOENT:
		return "is Redis running, and is its socket's directory shared with this "
		       "container?";
	case EACCES:
		return "may the pool's user write to the socket (unixsocketperm)?";
	case EAGAIN: /* unix(7): its backlog is full */
		return "Redis does not accept connections fast enough";
	default:
		return store->port == 0
		               ? "check the path in session.save_path"
		               : "is it in the same network, and does no firewall stop it?";
	}
}

/* Without a connection PHP goes on to the next address, so the caller judges. */
static void connect_say(const struct talk *talk, int error, char *why, size_t size)
{
	struct text text = text_init(why, size);

	text_add(&text, "cannot connect to %s: ", talk->where);
	if (error == -ETIMEDOUT)
		text_add(&text, "no answer within %u ms", talk->timeout_ms);
	else
		text_add(&text, "%s", strerror(-error));
	text_add(&text, "; %s", connect_fix(talk->store, error));
}

/* --- addresses --- */

static void target_name(struct target *target)
{
	if (getnameinfo(&target->at.any, target->length, target->text, sizeof(target->text), NULL,
	                0, NI_NUMERICHOST) != 0)
		copy(target->text, sizeof(target->text), "?");
}

/* /etc/hosts may name one address twice. */
static bool is_listed(const struct target *targets, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(targets[i].text, targets[n].text) == 0)
			return true;
	return false;
}

static int resolve_fail(const struct store_address *store, int error, struct store_report *report)
{
	char where[STORE_WHERE_SIZE];
	const char *cause = error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
	const char *fix = error == EAI_AGAIN ? "; does the name server answer?"
	                                     : "; is it in the same network?";

	where_write(where, sizeof(where), store);
	fail(report, store, "%s: cannot resolve '%s': %s%s", where, store->host, cause, fix);
	return -EHOSTUNREACH;
}

/* Returns how many addresses the name has, or a negative errno after saying why. */
static int resolve_name(const struct store_address *store, struct target targets[ADDRESSES_MAX],
                        struct store_report *report)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	char port[sizeof("65535")];
	struct text text = TEXT(port);
	int n = 0;

	text_add(&text, "%u", store->port);
	hints.ai_flags = AI_NUMERICSERV;
	int error = getaddrinfo(store->host, port, &hints, &list);
	if (error != 0)
		return resolve_fail(store, error, report);
	for (const struct addrinfo *a = list; a && n < ADDRESSES_MAX; a = a->ai_next) {
		memcpy(&targets[n].at.storage, a->ai_addr, a->ai_addrlen);
		targets[n].length = a->ai_addrlen;
		target_name(&targets[n]);
		n += !is_listed(targets, n);
	}
	freeaddrinfo(list);
	return n;
}

static int resolve_socket(const struct store_address *store, struct target *target,
                          struct store_report *report)
{
	target->at.local.sun_family = AF_UNIX;
	target->length = sizeof(target->at.local);
	target->text[0] = '\0';
	if (text_copy(target->at.local.sun_path, sizeof(target->at.local.sun_path), store->host))
		return 1;
	fail(report, store, "%s: the path of a unix socket has at most %zu bytes", store->host,
	     sizeof(target->at.local.sun_path) - 1);
	return -ENAMETOOLONG;
}

static int resolve(const struct store_address *store, struct target targets[ADDRESSES_MAX],
                   struct store_report *report)
{
	if (store->port == 0)
		return resolve_socket(store, targets, report);
	return resolve_name(store, targets, report);
}

/* --- one store --- */

static void talk_name(struct talk *talk, const struct target *target)
{
	struct text text = TEXT(talk->where);

	where_add(&text, talk->store);
	if (target->text[0] && strcmp(target->text, talk->store->host) != 0)
		text_add(&text, " (%s)", target->text);
}

/*
 * Ask one address.  True when it took a connection, whatever it answered then; otherwise @why says
 * why not.
 */
static bool target_ask(const struct store_address *store, const struct target *target,
                       uint32_t timeout_ms, struct store_report *report, char *why, size_t size)
{
	uint64_t start = now_us();
	struct talk talk = {
		.store = store,
		.report = report,
		.fd = FD_NONE,
		.timeout_ms = timeout_ms,
		.deadline_us = start + (uint64_t)timeout_ms * 1000,
	};

	talk_name(&talk, target);
	int r = talk_connect(&talk, target);
	if (r < 0)
		connect_say(&talk, r, why, size);
	else if (!store->tls)
		(void)talk_run(&talk); /* said in the report */
	fd_close(&talk.fd);

	uint64_t took = now_us() - start;
	if (r == 0 && took > report->latency_us)
		report->latency_us = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
	return r == 0;
}

/* Two addresses of one family are two stores; one of each family is one dual-stack store. */
static void check_addresses(const struct store_address *store, const struct target *targets, int n,
                            struct store_report *report)
{
	int inet4 = 0, inet6 = 0;

	for (int i = 0; i < n; i++) {
		inet4 += targets[i].at.any.sa_family == AF_INET;
		inet6 += targets[i].at.any.sa_family == AF_INET6;
	}
	if (inet4 > 1 || inet6 > 1)
		warn(report,
		     "'%s' has %d addresses (%s, %s%s): if these are several stores, sessions "
		     "get "
		     "lost between them; run one primary, or name each store in session.save_path",
		     store->host, n, targets[0].text, targets[1].text, n > 2 ? ", ..." : "");
}

static void store_ask_one(const struct store_address *store, uint32_t timeout_ms,
                          struct store_report *report)
{
	struct target targets[ADDRESSES_MAX] = { 0 };
	char why[SESSION_REASON_SIZE] = "";
	int connected = 0;
	int n = resolve(store, targets, report);

	report->stores++;
	if (n < 0)
		return;
	check_addresses(store, targets, n, report);
	for (int i = 0; i < n; i++)
		connected += target_ask(store, &targets[i], timeout_ms, report, why, sizeof(why));
	if (connected == 0)
		fail(report, store, "%s", why);
	else if (why[0])
		warn(report, "%s (PHP goes on to the next address)", why);
	if (store->tls && connected > 0)
		warn(report, "tls://%s:%u takes connections, but is not asked over TLS",
		     store->host, store->port);
}

/* --- all stores --- */

static bool same_store(const struct store_address *a, const struct store_address *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port && a->tls == b->tls &&
	       a->database == b->database && a->has_auth == b->has_auth &&
	       strcmp(a->user, b->user) == 0 && strcmp(a->password, b->password) == 0 &&
	       strcmp(a->prefix, b->prefix) == 0;
}

static void plan_add(struct plan *plan, const struct store_address *store,
                     struct store_report *report)
{
	for (size_t i = 0; i < plan->count; i++)
		if (same_store(&plan->stores[i], store))
			return;
	if (plan->count == PLANS_MAX) {
		warn(report, "more than %d different stores: the others are not asked", PLANS_MAX);
		return;
	}
	plan->stores[plan->count++] = *store;
}

static void plan_redis(struct plan *plan, const struct session_source *source,
                       struct store_report *report)
{
	char why[SESSION_REASON_SIZE - sizeof("pool : ") - sizeof(source->pool)];
	struct save_path path;

	if (save_path_parse(source->save_path, &path, why, sizeof(why)) < 0) {
		fail(report, NULL, "pool %s: %s", source->pool, why);
		return;
	}
	for (size_t i = 0; i < path.count; i++)
		plan_add(plan, &path.stores[i], report);
	if (path.trap[0] && !plan->trap[0]) {
		struct text text = TEXT(plan->trap);

		text_add(&text, "pool %s: %s", source->pool, path.trap);
	}
	if (!source->locking && !plan->unlocked)
		plan->unlocked = source->pool;
}

static void plan_source(struct plan *plan, const struct session_source *source,
                        struct store_report *report)
{
	if (strcasecmp(source->handler, "rediscluster") == 0) {
		report->uses_redis = true;
		warn(report, "pool %s keeps sessions in a cluster, which is not asked",
		     source->pool);
	} else if (strcasecmp(source->handler, "redis") == 0) {
		report->uses_redis = true;
		plan_redis(plan, source, report);
	}
}

/*
 * Names by the libc that is linked in: with another name service (mdns, resolve) a static glibc
 * would load the image's libc.  RES_OPTIONS: a silent name server holds getaddrinfo() for 10 s.
 */
static void resolver_prepare(uint32_t timeout_ms)
{
	char options[64];
	struct text text = TEXT(options);

#ifdef __GLIBC__
	(void)__nss_configure_lookup("hosts", "files dns");
#endif
	text_add(&text, "timeout:%u attempts:2", timeout_ms < 4000 ? 1 : timeout_ms / 2000);
	(void)setenv("RES_OPTIONS", options, 0);
}

void store_ask(const struct session_source *sources, unsigned count, uint32_t timeout_ms,
               struct store_report *report)
{
	_cleanup_free_ struct plan *plan = calloc(1, sizeof(*plan));

	memset(report, 0, sizeof(*report));
	if (!plan) {
		fail(report, NULL, "no memory to ask the session store");
		return;
	}
	resolver_prepare(timeout_ms);
	for (unsigned i = 0; i < count; i++)
		plan_source(plan, &sources[i], report);
	for (size_t i = 0; i < plan->count; i++)
		store_ask_one(&plan->stores[i], timeout_ms, report);
	if (plan->trap[0])
		warn(report, "%s", plan->trap);
	if (plan->unlocked)
		warn(report,
		     "pool %s: redis.session.locking_enabled is off: requests of one visitor at "
		     "the "
		     "same time overwrite each other's session",
		     plan->unlocked);
	if (plan->count > 0 && report->state != STORE_FAILED) {
		report->state = STORE_OK;
		where_write(report->where, sizeof(report->where), &plan->stores[0]);
	}
	explicit_bzero(plan, sizeof(*plan));
}
