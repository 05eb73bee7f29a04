#include "session/step.h"

#include <string.h>

#include "util/text.h"

enum {
	SAMPLE_TTL_S = 30,
};

/* A script that no server has: what counts is that the command is allowed. */
#define NO_SCRIPT "0000000000000000000000000000000000000000"

static const struct row {
	const char *name;
	enum finding_id finding;
	bool vital;
} rows[STEP_COUNT] = {
	[STEP_AUTH] = { "AUTH", FINDING_AUTH, true },
	[STEP_SELECT] = { "SELECT", FINDING_DATABASE, true },
	[STEP_PING] = { "PING", FINDING_ANSWER, true },
	[STEP_WRITE] = { "SETEX", FINDING_WRITE, true },
	[STEP_READ] = { "GET", FINDING_WRITE, false },
	[STEP_TTL] = { "TTL", FINDING_EXPIRY, false },
	[STEP_EXPIRE] = { "EXPIRE", FINDING_COMMANDS, false },
	[STEP_EXISTS] = { "EXISTS", FINDING_COMMANDS, false },
	[STEP_GETEX] = { "GETEX", FINDING_COMMANDS, false },
	[STEP_LOCK] = { "SET", FINDING_LOCK_COMMANDS, false },
	[STEP_UNLOCK_CACHED] = { "EVALSHA", FINDING_LOCK_COMMANDS, false },
	[STEP_UNLOCK] = { "EVAL", FINDING_LOCK_COMMANDS, false },
	[STEP_DELETE] = { "DEL", FINDING_WRITE, false },
};

const char *step_name(enum step step)
{
	return rows[step].name;
}

enum finding_id step_finding(enum step step)
{
	return rows[step].finding;
}

bool step_is_vital(enum step step)
{
	return rows[step].vital;
}

static void add_word(struct command *command, const char *word)
{
	command->words[command->count++] = word;
}

static void add_number(struct command *command, int number)
{
	struct text text = TEXT(command->number);

	text_add(&text, "%d", number);
	add_word(command, command->number);
}

static bool is_needed(enum step step, const struct store_address *store, const struct needs *needs)
{
	switch (step) {
	case STEP_AUTH:
		return store->has_auth;
	case STEP_SELECT:
		return store->database >= 0;
	case STEP_EXPIRE:
		return needs->expire;
	case STEP_EXISTS:
		return needs->exists;
	case STEP_GETEX:
		return needs->getex;
	case STEP_LOCK:
	case STEP_UNLOCK_CACHED:
	case STEP_UNLOCK:
		return needs->lock;
	case STEP_PING:
	case STEP_WRITE:
	case STEP_READ:
	case STEP_TTL:
	case STEP_DELETE:
	case STEP_COUNT:
		break;
	}
	return true;
}

static void add_unlock(struct command *command, const char *script, const struct sample *sample)
{
	add_word(command, script);
	add_word(command, "1");
	add_word(command, sample->lock);
	add_word(command, sample->value);
}

static void add_arguments(enum step step, const struct store_address *store,
                          const struct sample *sample, struct command *command)
{
	switch (step) {
	case STEP_AUTH:
		if (store->user[0])
			add_word(command, store->user);
		add_word(command, store->password);
		break;
	case STEP_SELECT:
		add_number(command, store->database);
		break;
	case STEP_WRITE:
		add_word(command, sample->key);
		add_number(command, SAMPLE_TTL_S);
		add_word(command, sample->value);
		break;
	case STEP_EXPIRE:
		add_word(command, sample->key);
		add_number(command, SAMPLE_TTL_S);
		break;
	case STEP_GETEX:
		add_word(command, sample->key);
		add_word(command, "EX");
		add_number(command, SAMPLE_TTL_S);
		break;
	case STEP_LOCK:
		add_word(command, sample->lock);
		add_word(command, sample->value);
		add_word(command, "NX");
		add_word(command, "PX");
		add_number(command, SAMPLE_TTL_S * 1000);
		break;
	case STEP_UNLOCK_CACHED:
		add_unlock(command, NO_SCRIPT, sample);
		break;
	case STEP_UNLOCK:
		add_unlock(command, STEP_RELEASE, sample);
		break;
	case STEP_READ:
	case STEP_TTL:
	case STEP_EXISTS:
	case STEP_DELETE:
		add_word(command, sample->key);
		break;
	case STEP_PING:
	case STEP_COUNT:
		break;
	}
}

bool step_command(enum step step, const struct store_address *store, const struct needs *needs,
                  const struct sample *sample, struct command *command)
{
	if (!is_needed(step, store, needs))
		return false;
	command->count = 0;
	add_word(command, rows[step].name);
	add_arguments(step, store, sample, command);
	return true;
}

static bool is_status(const redisReply *reply, const char *status)
{
	return reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, status) == 0;
}

static bool is_number(const redisReply *reply, long long least, long long most)
{
	return reply->type == REDIS_REPLY_INTEGER && reply->integer >= least &&
	       reply->integer <= most;
}

bool step_is_right(enum step step, const struct sample *sample, const redisReply *reply)
{
	switch (step) {
	case STEP_AUTH:
	case STEP_SELECT:
	case STEP_WRITE:
	case STEP_LOCK:
		return is_status(reply, "OK");
	case STEP_PING:
		return is_status(reply, "PONG");
	case STEP_READ:
	case STEP_GETEX:
		return reply->type == REDIS_REPLY_STRING && strcmp(reply->str, sample->value) == 0;
	case STEP_TTL:
		return is_number(reply, 0, SAMPLE_TTL_S);
	case STEP_EXPIRE:
	case STEP_EXISTS:
	case STEP_UNLOCK:
		return is_number(reply, 1, 1);
	case STEP_UNLOCK_CACHED:
		return reply->type == REDIS_REPLY_ERROR && text_begins(reply->str, "NOSCRIPT");
	case STEP_DELETE:
		return reply->type == REDIS_REPLY_INTEGER;
	case STEP_COUNT:
		break;
	}
	return false;
}
