/*
 * Anything that PHP answers on private sockets: every question of src/question that runs scripts
 * ends, with an answer that holds together.
 *
 * The input: which question, a list of pages, then what comes on each connection, 0xff between
 * them and 0xfe between pieces.  "=" before it means that the rest is the text of a whole answer.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "peer.h"

#include "process/helper.h"
#include "question/chain.h"
#include "question/drain.h"
#include "question/page.h"
#include "question/prime.h"
#include "question/trial.h"
#include "question/vigil.h"
#include "session/finding_file.h"
#include "session/store.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

enum { PATIENCE_MS = 1000 };

static struct input said;
static uint64_t now_us;
static unsigned answers;

uint64_t __wrap_clock_us(void);
uint64_t __wrap_clock_ms(void);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
uint64_t __wrap_random_number(void);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **list);
void __wrap_helper_answer(int fd, const void *answer, size_t size);
void __wrap_helper_answer_with_fd(int answer_fd, const void *answer, size_t size, int fd);

/* Time goes by with each look at the clock, and with each pause. */
uint64_t __wrap_clock_us(void)
{
	return now_us += 100;
}

uint64_t __wrap_clock_ms(void)
{
	return __wrap_clock_us() / 1000;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	assert(!left);
	now_us += (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_nsec / 1000;
	return 0;
}

/* What the session of the chain holds is known, so that an input can be right. */
uint64_t __wrap_random_number(void)
{
	return 0x1111111111111111;
}

/* A store has a socket, or cannot be found. */
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **list)
{
	assert(host && port && hints && list);
	return EAI_NONAME;
}

static void check_text(const char *text, size_t size)
{
	assert(strnlen(text, size) < size);
	for (; *text; text++)
		assert((unsigned char)*text >= ' ' && *text != 0x7f);
}

#define CHECK_TEXT(text) check_text((text), sizeof(text))

static void check_trial(const struct trial_answer *answer)
{
	CHECK_TEXT(answer->why);
	CHECK_TEXT(answer->warm_why);
	assert(answer->ready == (answer->why[0] == '\0'));
	assert(answer->warmed <= answer->to_warm);
	assert((answer->warmed < answer->to_warm) == (answer->warm_why[0] != '\0'));
	assert(answer->health == 0 || (answer->health >= 100 && answer->health <= 999));
}

static void check_drain(const struct drain_answer *answer)
{
	assert(answer->busy_rescue <= answer->busy);
	assert(!answer->idle || (answer->busy == 0 && !answer->queued));
	assert(answer->busy == 0 || answer->busy_state != WORKER_IDLE);
}

void __wrap_helper_answer(int fd, const void *answer, size_t size)
{
	assert(fd == FD_NONE);
	answers++;
	if (size == sizeof(struct trial_answer))
		check_trial(answer);
	else if (size == sizeof(struct drain_answer))
		check_drain(answer);
	else if (size == sizeof(struct prime_answer))
		assert(((const struct prime_answer *)answer)->primed <= 2);
	else
		CHECK_TEXT(((const struct vigil_answer *)answer)->why);
}

void __wrap_helper_answer_with_fd(int answer_fd, const void *answer, size_t size, int fd)
{
	static struct findings findings;
	const struct chain_answer *chain = answer;

	assert(answer_fd == FD_NONE && size == sizeof(*chain));
	answers++;
	CHECK_TEXT(chain->why);
	assert(chain->state <= CHAIN_FAILED);
	assert(chain->state != CHAIN_FAILED || chain->why[0]);
	assert(finding_file_read(fd, &findings) == 0);
}

/* --- who answers --- */

static void put_record(int fd, uint8_t type, const void *bytes, size_t size)
{
	const uint8_t header[8] = { 1, type, 0, 1, (uint8_t)(size >> 8), (uint8_t)size };

	(void)!send(fd, header, sizeof(header), MSG_NOSIGNAL);
	peer_send(fd, (struct input){ bytes, (const uint8_t *)bytes + size });
}

static void put_answer(int fd, const struct input *part)
{
	static const char whole[] = "=", end[8];

	if (input_size(part) > 0 && part->at[0] == whole[0]) {
		put_record(fd, 6, part->at + 1, (input_size(part) - 1) & 0xffff);
		put_record(fd, 3, end, sizeof(end));
	} else {
		peer_send(fd, *part);
	}
}

static int peer_say(int fd, const struct sockaddr *address)
{
	struct input part = input_until(&said, CONNECTION_END);

	assert(address->sa_family == AF_UNIX || address->sa_family == AF_INET);
	if (input_size(&part) == 0)
		return input_size(&said) == 0 ? ECONNREFUSED : EAGAIN;
	put_answer(fd, &part);
	return 0;
}

/* --- the questions --- */

static char pages[1024];

static void try_trial(bool patient)
{
	static struct trial_query query;

	query = (struct trial_query){
		.private_fd = FD_NONE,
		.count = 2,
		.probes = { "www", "shop" },
		.timeout_ms = PATIENCE_MS,
		.patient = patient,
		.pages = "pages",
		.root = "/srv",
	};
	const char *list = pages;
	(void)page_next(&list, query.health, sizeof(query.health));
	memcpy(query.warm, pages, sizeof(pages));
	trial_run(&query, FD_NONE);
}

static void try_drain(bool rescue)
{
	static struct drain_query query;

	query = (struct drain_query){
		.private_fd = FD_NONE,
		.socket_count = 2,
		.sockets = { { "www", "/status", rescue }, { "shop", "/", false } },
		.stuck_ms = PATIENCE_MS,
	};
	drain_run(&query, FD_NONE);
}

static void try_vigil(void)
{
	static struct vigil_query query;
	const char *list = pages;

	query = (struct vigil_query){
		.private_fd = FD_NONE,
		.count = 2,
		.numbers = { 1, 2 },
		.sockets = { "1", "2" },
		.root = "/srv",
		.every_ms = PATIENCE_MS,
		.patience_ms = PATIENCE_MS,
	};
	(void)page_next(&list, query.health, sizeof(query.health));
	vigil_run(&query, FD_NONE);
}

/* On each of two connections all answers wait at once. */
static void try_prime(void)
{
	static struct prime_query query;
	int theirs[2];

	query = (struct prime_query){
		.count = 2,
		.root = "/srv",
		.warm_set = UINT64_MAX,
		.timeout_ms = PATIENCE_MS,
	};
	memcpy(query.warm, pages, sizeof(pages));
	for (int i = 0; i < 2; i++) {
		int pair[2];

		assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		                  pair) == 0);
		query.fds[i] = pair[0];
		theirs[i] = pair[1];
		for (struct input part; (part = input_until(&said, CONNECTION_END)).at < part.end;)
			put_answer(pair[1], &part);
		(void)shutdown(pair[1], SHUT_WR);
	}
	prime_run(&query, FD_NONE);
	for (int i = 0; i < 2; i++) {
		(void)close(query.fds[i]);
		(void)close(theirs[i]);
	}
}

static int sources_file(const char *save_path)
{
	static struct session_source sources[2];
	int fd = memfd_create("sources", MFD_CLOEXEC);

	sources[0] = (struct session_source){ .pool = "www", .handler = "redis" };
	sources[1] = (struct session_source){ .pool = "shop", .handler = "files" };
	strncpy(sources[0].save_path, save_path, sizeof(sources[0].save_path) - 1);
	assert(fd >= 0 && write(fd, sources, sizeof(sources)) == sizeof(sources));
	return fd;
}

static void try_chain(bool old, bool chrooted, bool findings)
{
	static struct findings none;
	static struct chain_query query;
	int old_fd = old ? sources_file("/run/redis.sock") : FD_NONE;

	query = (struct chain_query){
		.private_fd = FD_NONE,
		.sources_fd = sources_file(pages[0] ? pages : "/run/redis.sock"),
		.old_sources_fd = old_fd,
		.findings_fd = findings ? memfd_create("findings", MFD_CLOEXEC) : FD_NONE,
		.script = "/run/twinit/pin/script.php",
		.pool_count = 2,
		.chrooted = { chrooted },
		.writer = { 1, { "w0", "w1" } },
		.reader_count = 2,
		.readers = { { 1, { "r10", "r11" } }, { 2, { "r20", "r21" } } },
		.timeout_ms = PATIENCE_MS,
	};
	if (query.findings_fd >= 0)
		assert(finding_file_write(query.findings_fd, &none) == 0);
	chain_run(&query, FD_NONE);
	(void)close(query.sources_fd);
	if (old_fd >= 0)
		(void)close(old_fd);
	if (query.findings_fd >= 0)
		(void)close(query.findings_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	said = input_of(data, size);
	now_us = 1000 * 1000;
	answers = 0;

	uint8_t which = input_byte(&said);
	struct input list = input_until(&said, CONNECTION_END);
	input_text(&list, pages, sizeof(pages));
	text_tame(pages, sizeof(pages)); /* as the configuration makes sure */
	switch (which % 5) {
	case 0:
		try_trial(which & 0x80);
		break;
	case 1:
		try_drain(which & 0x80);
		break;
	case 2:
		try_vigil();
		break;
	case 3:
		try_prime();
		break;
	default:
		try_chain(which & 0x80, which & 0x40, which & 0x20);
		break;
	}
	assert(answers > 0);
	peers_leave();
	return 0;
}
