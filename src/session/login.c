#include "session/login.h"

#include <errno.h>

#include "session/step.h"

int login_ask(struct resp *resp, int count, const char **words, redisReply **reply)
{
	int r = resp_ask(resp, count, words, reply);

	if (r < 0)
		return r;
	if ((*reply)->type != REDIS_REPLY_ERROR)
		return 0;
	freeReplyObject(*reply);
	*reply = NULL;
	return -EACCES;
}

static int take_step(struct resp *resp, const struct store_address *store, enum step step)
{
	static const struct needs needs;
	static const struct sample sample;
	redisReply *reply = NULL;
	struct command command;

	if (!step_command(step, store, &needs, &sample, &command))
		return 0;
	int r = login_ask(resp, command.count, command.words, &reply);
	if (r == 0)
		freeReplyObject(reply);
	return r;
}

int login(struct resp *resp, const struct store_address *store, const struct target *target)
{
	int r = resp_connect(resp, &target->at.any, target->length,
	                     store->tls ? store->host : NULL);

	if (r == 0 && resp->tls_why)
		r = -EPROTO;
	if (r == 0)
		r = take_step(resp, store, STEP_AUTH);
	if (r == 0)
		r = take_step(resp, store, STEP_SELECT);
	return r;
}
