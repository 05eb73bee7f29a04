/*
 * Any save path, name server and Redis: store_ask() ends, counts what it saw, shows no control
 * characters and no password, whatever is answered and wherever it is sent on to.
 *
 * The input: three bytes of settings, the save path, then what comes on each connection, 0xff
 * between them and 0xfe between pieces.  "!" and a digit is a connection that does not come about.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "peer.h"

#include "session/store.h"
#include "session/tls.h"
#include "util/text.h"

enum { PATIENCE_MS = 2000 };

static struct input said;
static bool with_tls; /* the program was built with it */

/* --- a world that is the same each time --- */

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **list);
void __wrap_freeaddrinfo(struct addrinfo *list);
int __wrap_getifaddrs(struct ifaddrs **list);
void __wrap_freeifaddrs(struct ifaddrs *list);
int __wrap_gethostname(char *name, size_t size);
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags);
int __wrap_kill(pid_t pid, int number);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
time_t __wrap_time(time_t *to);
bool __wrap_tls_built_in(void);
struct tls *__wrap_tls_begin(int fd, const char *host);
void __wrap_tls_end(struct tls *ended);
int __wrap_tls_shake(struct tls *with, short *events);
ssize_t __wrap_tls_send(struct tls *with, const char *bytes, size_t size, short *events);
ssize_t __wrap_tls_receive(struct tls *with, char *bytes, size_t size, short *events);
const char *__wrap_tls_why(const struct tls *with);
void __real_resolve_prepare(uint32_t timeout_ms);
void __wrap_resolve_prepare(uint32_t timeout_ms);

static struct sockaddr_in addresses[4];
static struct addrinfo infos[4];

/* "again" and "none" have no address, "two" and "tasks.two" two, others one. */
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **list)
{
	const char *name = text_begins(host, "tasks.") ? host + strlen("tasks.") : host;
	int count = text_begins(name, "two") ? 2 : 1;

	assert(hints->ai_socktype == SOCK_STREAM);
	if (text_begins(name, "again"))
		return EAI_AGAIN;
	if (text_begins(name, "none"))
		return EAI_NONAME;
	for (int i = 0; i < count; i++) {
		addresses[i] = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_port = htons((in_port_t)strtoul(port, NULL, 10)),
			.sin_addr.s_addr = htonl(0x0a000001 + (uint32_t)i),
		};
		infos[i] = (struct addrinfo){
			.ai_family = AF_INET,
			.ai_addr = (struct sockaddr *)&addresses[i],
			.ai_addrlen = sizeof(addresses[i]),
			.ai_next = i + 1 < count ? &infos[i + 1] : NULL,
		};
	}
	*list = infos;
	return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
	assert(list == infos);
}

int __wrap_getifaddrs(struct ifaddrs **list)
{
	static struct sockaddr_in at = { .sin_family = AF_INET };
	static struct sockaddr_in6 at6 = { .sin6_family = AF_INET6 };
	static char name[] = "eth0";
	static struct ifaddrs none = { .ifa_name = name };
	static struct ifaddrs six = { .ifa_next = &none, .ifa_name = name };
	static struct ifaddrs four = { .ifa_next = &six, .ifa_name = name };
	static struct ifaddrs loop = { .ifa_next = &four,
		                       .ifa_name = name,
		                       .ifa_flags = IFF_LOOPBACK };

	at.sin_addr.s_addr = htonl(0x0a000001);
	loop.ifa_addr = four.ifa_addr = (struct sockaddr *)&at;
	six.ifa_addr = (struct sockaddr *)&at6;
	*list = &loop;
	return 0;
}

void __wrap_freeifaddrs(struct ifaddrs *list)
{
	assert(list);
}

int __wrap_gethostname(char *name, size_t size)
{
	assert(size > strlen("web-1"));
	memcpy(name, "web-1", sizeof("web-1"));
	return 0;
}

ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags)
{
	assert(flags == GRND_NONBLOCK);
	memset(bytes, 0x11, size);
	return (ssize_t)size;
}

int __wrap_kill(pid_t pid, int number)
{
	assert(pid > 0 && number == 0);
	errno = ESRCH;
	return pid % 2 ? -1 : 0;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	assert(time->tv_nsec < 1000 * 1000 * 1000 && !left);
	return 0;
}

time_t __wrap_time(time_t *to)
{
	assert(!to);
	return 1700000000;
}

/* Once is enough: the C library keeps what it is told each time. */
void __wrap_resolve_prepare(uint32_t timeout_ms)
{
	static bool prepared;

	if (!prepared)
		__real_resolve_prepare(timeout_ms);
	prepared = true;
}

/* TLS in the clear: a server that says "H" has shaken hands, and all has to be asked for twice. */
static char tls;
static bool tls_asked;
static int tls_fd;

static int tls_later(short *events, short event)
{
	*events = event;
	tls_asked = !tls_asked;
	return tls_asked ? -EAGAIN : 0;
}

bool __wrap_tls_built_in(void)
{
	return with_tls;
}

struct tls *__wrap_tls_begin(int fd, const char *host)
{
	assert(fd >= 0 && host[0]);
	tls_fd = fd;
	tls_asked = false;
	return strcmp(host, "no.memory") == 0 ? NULL : (struct tls *)&tls;
}

void __wrap_tls_end(struct tls *ended)
{
	assert(!ended || ended == (struct tls *)&tls);
}

int __wrap_tls_shake(struct tls *with, short *events)
{
	char hello = 0;
	int r = tls_later(events, POLLIN);

	assert(with == (struct tls *)&tls);
	if (r == 0 && (recv(tls_fd, &hello, 1, 0) < 0 || hello != 'H'))
		return -EPROTO;
	return r;
}

ssize_t __wrap_tls_send(struct tls *with, const char *bytes, size_t size, short *events)
{
	int r = tls_later(events, POLLOUT);

	assert(with == (struct tls *)&tls);
	return r < 0 ? r : send(tls_fd, bytes, size, MSG_NOSIGNAL);
}

ssize_t __wrap_tls_receive(struct tls *with, char *bytes, size_t size, short *events)
{
	int r = tls_later(events, POLLIN);

	assert(with == (struct tls *)&tls);
	return r < 0 ? r : recv(tls_fd, bytes, size, 0);
}

const char *__wrap_tls_why(const struct tls *with)
{
	assert(with == (struct tls *)&tls);
	return "certificate has expired";
}

static int peer_say(int fd, const struct sockaddr *address)
{
	static const int errors[] = { ECONNREFUSED, ENOENT,       EACCES,     EAGAIN,
		                      ETIMEDOUT,    EHOSTUNREACH, EINPROGRESS };
	struct input part = input_until(&said, CONNECTION_END);
	int error = 0;

	assert(address->sa_family == AF_UNIX || address->sa_family == AF_INET);
	if (!part.at || (input_size(&part) == 0 && input_size(&said) == 0))
		return ECONNREFUSED;
	if (input_size(&part) > 1 && part.at[0] == '!') {
		error = errors[part.at[1] % (sizeof(errors) / sizeof(errors[0]))];
		part.at += 2;
	}
	peer_send(fd, part);
	return error;
}

/* --- what is asked, and what comes of it --- */

static void read_sources(uint8_t first, uint8_t second, struct input *input,
                         struct session_source sources[2])
{
	struct input path = input_until(input, CONNECTION_END);

	sources[0] = (struct session_source){
		.pool = "www",
		.handler = "redis",
		.gc_maxlifetime_s = 1440,
		.workers = 8,
		.phpredis = second & 0x80 ? 6 : 5,
		.lazy_write = first & 2,
		.strict_mode = first & 4,
		.early_refresh = first & 8,
		.locking = first & 16,
		.lock_wait_us = second & 1 ? 10000 : 0,
		.lock_retries = second & 2 ? 500 : -1,
		.lock_expire_s = second & 4 ? 60 : 0,
		.max_execution_s = second & 8 ? 30 : 0,
	};
	if (first & 1)
		strcpy(sources[0].handler, "rediscluster");
	input_text(&path, sources[0].save_path, sizeof(sources[0].save_path));
	sources[1] = sources[0];
	strcpy(sources[1].pool, "shop");
	sources[1].locking = !sources[0].locking;
	if (second & 0x40)
		strcpy(sources[1].handler, "files");
}

static void check_text(const char *text, size_t size, bool secret)
{
	assert(strnlen(text, size) < size);
	assert(!secret || !strstr(text, "zQ"));
	for (; *text; text++)
		assert((unsigned char)*text >= ' ' && *text != 0x7f);
}

#define CHECK_TEXT(text) check_text((text), sizeof(text), secret)

static void check_findings(const struct findings *findings, bool secret)
{
	assert(findings->count <= FINDINGS_MAX && findings->member_count <= MEMBERS_MAX);
	for (uint32_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i];

		assert(f->id < FINDING_ID_COUNT && f->result < FINDING_RESULT_COUNT);
		CHECK_TEXT(f->subject);
		CHECK_TEXT(f->seen);
		CHECK_TEXT(f->fix);
		assert(f->subject[0] && f->seen[0]);
	}
	for (uint32_t i = 0; i < findings->member_count; i++) {
		CHECK_TEXT(findings->members[i].hostname);
		CHECK_TEXT(findings->members[i].addresses);
	}
}

static void check_report(const struct store_report *report, const struct findings *findings,
                         bool secret)
{
	bool failed = findings_first(findings, FINDING_FAILED);

	CHECK_TEXT(report->where);
	CHECK_TEXT(report->reason);
	CHECK_TEXT(report->warning);
	assert(report->state < STORE_STATE_COUNT);
	assert((report->state == STORE_FAILED) == failed);
	assert(failed == (report->reason[0] != '\0'));
	assert(report->members == findings->member_count);
}

/* A password in the save path that begins with "zQ", where nobody else says "zQ". */
static bool has_secret(struct input input)
{
	struct input path = input_until(&input, CONNECTION_END);
	const uint8_t *at = memmem(path.at, input_size(&path), "auth=zQ", 7);

	return at && memmem(path.at, input_size(&path), "zQ", 2) == at + 5 &&
	       !memmem(at + 7, (size_t)(input.end - at - 7), "zQ", 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session_source sources[2];
	static struct findings findings;
	static const char *const services[] = { "two", "none", "again", "" };
	struct store_report report;

	if (size < 3)
		return 0;
	said = input_of(data + 3, size - 3);
	read_sources(data[0], data[1], &said, sources);
	with_tls = data[2] & 1;
	struct store_query query = {
		.sources = sources,
		.count = data[1] & 0x20 ? 2 : 1,
		.timeout_ms = PATIENCE_MS,
		.total_ms = 2 * PATIENCE_MS,
		.membership = {
			.join = data[0] & 0x20,
			.id = "0123456789abcdef",
			.age_s = 100,
			.every_s = 10,
		},
		.release = data[0] & 0x40,
	};
	strcpy(query.membership.service, services[data[2] / 2 % 4]);
	store_ask(&query, &findings, &report);
	bool secret = has_secret(input_of(data + 3, size - 3));
	check_findings(&findings, secret);
	check_report(&report, &findings, secret);
	peers_leave();
	store_leave(&query);
	peers_leave();
	return 0;
}
