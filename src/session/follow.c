#include "session/follow.h"

#include <errno.h>
#include <string.h>

#include "session/login.h"
#include "session/resolve.h"
#include "session/url.h"
#include "util/text.h"

enum {
	HOPS_MAX = 5,
};

static int carry(struct carrier *carrier, int count, const char **words, redisReply **reply)
{
	struct follow *follow = container_of(carrier, struct follow, carrier);
	int r = follow_ask(follow, count, words, reply);

	if (r < 0 || (*reply)->type != REDIS_REPLY_ERROR)
		return r;
	freeReplyObject(*reply);
	*reply = NULL;
	return -EACCES;
}

void follow_init(struct follow *follow, const struct store_address *store, bool enabled)
{
	*follow = (struct follow){ .carrier.ask = carry, .store = store, .enabled = enabled };
	follow->resp = resp_init(0);
}

void follow_done(struct follow *follow)
{
	resp_done(&follow->resp);
}

bool follow_parse(const char *words, struct redirection *to)
{
	const char *end = words + strlen(words);
	const char *slot = slice_find(words, end, " ");
	const char *host = slot < end ? slice_find(slot + 1, end, " ") : end;
	const char *colon = strrchr(words, ':');
	int port;

	to->ask = text_begins(words, "ASK ");
	if ((!to->ask && !text_begins(words, "MOVED ")) || host == end || !colon || colon <= ++host)
		return false;
	size_t length = (size_t)(colon - host);
	if (length >= sizeof(to->host) || !slice_consists_of(slice_between(host, colon), "-._:") ||
	    !url_port(colon + 1, end, &port) || port == 0)
		return false;
	memcpy(to->host, host, length);
	to->host[length] = '\0';
	to->port = (uint16_t)port;
	return true;
}

static int greet(struct resp *resp)
{
	const char *words[] = { "ASKING" };
	redisReply *reply = NULL;
	int r = login_ask(resp, 1, words, &reply);

	if (r == 0)
		freeReplyObject(reply);
	return r;
}

static int move(struct follow *follow, const struct redirection *to)
{
	struct target targets[TARGETS_MAX] = { 0 };
	struct store_address node = *follow->store;
	uint64_t deadline_us = follow->resp.deadline_us;
	struct findings *ignored = NULL;
	int r;

	text_copy_cut(node.host, sizeof(node.host), to->host);
	node.port = to->port;
	r = resolve(&node, targets, ignored);
	resp_done(&follow->resp);
	follow->resp = resp_init(deadline_us);
	if (r > 0)
		r = login(&follow->resp, &node, &targets[0]);
	if (r == 0 && to->ask)
		r = greet(&follow->resp);
	explicit_bzero(&node, sizeof(node));
	return r;
}

int follow_ask(struct follow *follow, int count, const char **words, redisReply **reply)
{
	struct redirection to;

	for (int hops = 0;; hops++) {
		int r = resp_ask(&follow->resp, count, words, reply);

		if (r < 0 || !follow->enabled || hops == HOPS_MAX ||
		    (*reply)->type != REDIS_REPLY_ERROR || !follow_parse((*reply)->str, &to))
			return r;
		freeReplyObject(*reply);
		*reply = NULL;
		r = move(follow, &to);
		if (r < 0)
			return r;
	}
}
