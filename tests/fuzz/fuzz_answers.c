/* Any bytes as what a Redis answers: read within bounds, and taken apart without harm. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_facts(const redisReply *reply)
{
	static struct findings findings;
	struct facts facts;

	memset(&findings, 0, sizeof(findings));
	facts_init(&facts);
	facts_read_hello(&facts, reply);
	facts_read_info(&facts, reply);
	facts_read_save(&facts, reply);
	facts_note(&facts, "redis:6379", 100, &findings);
	assert(findings.count == 5);
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

static void check(const redisReply *reply)
{
	struct cluster_state cluster;

	check_facts(reply);
	if (reply->type == REDIS_REPLY_STRING) {
		cluster_read(reply->str, (size_t)reply->len, &cluster);
		check_members(reply->str);
	}
	if (reply->type == REDIS_REPLY_ERROR)
		check_redirection(reply->str);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resp resp = resp_init(clock_us() + PATIENCE_US);
	const char *words[] = { "X" };
	redisReply *reply;
	int pair[2];

	if (size > BYTES_MAX || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		return 0;
	resp.fd = pair[0];
	assert(write(pair[1], data, size) == (ssize_t)size);
	assert(shutdown(pair[1], SHUT_WR) == 0);
	for (int i = 0; i < QUESTIONS && resp_ask(&resp, 1, words, &reply) == 0; i++) {
		check(reply);
		freeReplyObject(reply);
	}
	resp_done(&resp);
	(void)close(pair[1]);
	return 0;
}
