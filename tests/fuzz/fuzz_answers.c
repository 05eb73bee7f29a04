/* Any bytes as what a Redis answers: read within bounds, and taken apart without harm. */
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

#include "session/cluster.h"
#include "session/facts.h"
#include "session/follow.h"
#include "session/member.h"
#include "session/resp.h"
#include "util/clock.h"

enum {
	BYTES_MAX = 32 * 1024, /* fits into a socket at once */
	QUESTIONS = 16,
	PATIENCE_US = 1000 * 1000,
};

static void read_facts(struct facts *facts, const redisReply *reply)
{
	facts_read_hello(facts, reply);
	facts_read_info(facts, reply);
	facts_read_save(facts, reply);
}

static void check_facts(const struct facts *facts, uint64_t workers)
{
	static struct findings findings;

	memset(&findings, 0, sizeof(findings));
	facts_note(facts, "redis:6379", workers, &findings);
	assert(findings.count == 5);
	facts_note_setup(facts, "redis:6379", &findings);
	assert(!facts_is_cluster(facts) || facts->mode[0]);
	for (uint32_t i = 0; i < findings.count; i++)
		assert(!strpbrk(findings.list[i].seen, "\x1b\r\n"));
}

static void check_members(const char *text)
{
	char id[MEMBER_ID_SIZE], value[MEMBER_VALUE_SIZE];
	struct member member = { 0 }, again = { 0 };

	if (member_parse(text, &member)) {
		member_print(&member, value);
		assert(member_parse(value, &again));
		assert(strcmp(member.addresses, again.addresses) == 0);
		assert(member.seen_s == again.seen_s);
		assert(!member_is_double(&member, &again));
		again.id[0] = 'x';
		assert(member_is_double(&again, &member) == (member.seen_s > member.since_s));
		assert(member_has_address(&member, "10.0.0.1") <=
		       (strstr(member.addresses, "10.0.0.1") != NULL));
	}
	while (member_index_next(&text, id))
		assert(member_is_id(id));
}

static void check_redirection(const char *text)
{
	struct redirection to;

	if (follow_parse(text, &to))
		assert(to.host[0] && to.port != 0);
}

static void check(const redisReply *reply, struct facts *facts)
{
	struct cluster_state cluster;

	read_facts(facts, reply);
	if (reply->type == REDIS_REPLY_STRING) {
		cluster_read(reply->str, (size_t)reply->len, &cluster);
		check_members(reply->str);
	}
	if (reply->type == REDIS_REPLY_ERROR)
		check_redirection(reply->str);
}

/* The answers to some questions, as they come. */
static void ask(const uint8_t *data, size_t size, struct facts *facts)
{
	struct resp resp = resp_init(clock_us() + PATIENCE_US);
	const char *words[] = { "X" };
	redisReply *reply;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		return;
	resp.fd = pair[0];
	assert(write(pair[1], data, size) == (ssize_t)size);
	assert(shutdown(pair[1], SHUT_WR) == 0);
	for (int i = 0; i < QUESTIONS && resp_ask(&resp, 1, words, &reply) == 0; i++) {
		check(reply, facts);
		freeReplyObject(reply);
	}
	resp_done(&resp);
	(void)close(pair[1]);
}

/* One text, without its length before it. */
static void read_text(const uint8_t *data, size_t size, int type, struct facts *facts)
{
	static char text[BYTES_MAX + 1];
	const struct input all = { data, data + size };
	redisReply reply = { .type = type, .len = size };

	reply.str = input_text(&all, text, sizeof(text));
	check(&reply, facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct facts facts;

	if (size < 1 || size > BYTES_MAX)
		return 0;
	facts_init(&facts);
	if (data[0] == 'T' || data[0] == 'E')
		read_text(data + 1, size - 1,
		          data[0] == 'T' ? REDIS_REPLY_STRING : REDIS_REPLY_ERROR, &facts);
	else
		ask(data, size, &facts);
	check_facts(&facts, data[size - 1]);
	return 0;
}
