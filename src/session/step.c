#include "session/step.h"

#include <string.h>

#include "util/text.h"

enum {
	SAMPLE_TTL_S = 30,
};

static const char *const step_names[STEP_COUNT] = {
	[STEP_AUTH] = "AUTH",   [STEP_SELECT] = "SELECT", [STEP_PING] = "PING",
	[STEP_WRITE] = "SETEX", [STEP_READ] = "GET",      [STEP_DELETE] = "DEL",
};

const char *step_name(enum step step)
{
	return step_names[step];
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

static bool is_needed(enum step step, const struct store_address *store)
{
	if (step == STEP_AUTH)
		return store->has_auth;
	return step != STEP_SELECT || store->database >= 0;
}

bool step_command(enum step step, const struct store_address *store, const struct sample *sample,
                  struct command *command)
{
	if (!is_needed(step, store))
		return false;
	command->count = 0;
	add_word(command, step_names[step]);
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
	case STEP_READ:
	case STEP_DELETE:
		add_word(command, sample->key);
		break;
	case STEP_PING:
	case STEP_COUNT:
		break;
	}
	return true;
}

static bool is_status(const redisReply *reply, const char *status)
{
	return reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, status) == 0;
}

bool step_is_right(enum step step, const struct sample *sample, const redisReply *reply)
{
	switch (step) {
	case STEP_AUTH:
	case STEP_SELECT:
	case STEP_WRITE:
		return is_status(reply, "OK");
	case STEP_PING:
		return is_status(reply, "PONG");
	case STEP_READ:
		return reply->type == REDIS_REPLY_STRING && strcmp(reply->str, sample->value) == 0;
	case STEP_DELETE:
		return reply->type == REDIS_REPLY_INTEGER;
	case STEP_COUNT:
		break;
	}
	return false;
}
