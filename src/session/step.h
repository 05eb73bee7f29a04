/* step.h - the questions to a store, in order: what is sent, which answer is right.  Pure. */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "session/finding.h"
#include "session/plan.h"
#include "session/sample.h"
#include "session/savepath.h"
#include "util/macros.h"

/* All but SELECT, PING and TTL is what PHP's handler sends, with its settings. */
enum step {
	STEP_AUTH,
	STEP_SELECT,
	STEP_PING,
	STEP_WRITE,
	STEP_READ,
	STEP_TTL,
	STEP_EXPIRE,
	STEP_EXISTS,
	STEP_GETEX,
	STEP_LOCK,
	STEP_UNLOCK_CACHED,
	STEP_UNLOCK,
	STEP_DELETE,
	STEP_COUNT,
};

enum {
	STEP_WORDS_MAX = 6,
};

/* A lock is released by its owner only: deletes KEYS[1] if its value is ARGV[1]. */
#define STEP_RELEASE                                                                               \
	"if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end "     \
	"return 0"

/* The words point into the store, the sample and this command, so it is not to be copied. */
struct command {
	int count;
	const char *words[STEP_WORDS_MAX];
	char number[sizeof("-2147483648")];
};

/* "AUTH", the name of the command. */
const char *step_name(enum step step);

/* What a wrong answer is about, when its words do not tell. */
enum finding_id step_finding(enum step step);

/* True when the conversation has no use without it. */
bool step_is_vital(enum step step);

/* Fill *@command.  Returns false when the step is none for @store: AUTH without auth=. */
MUST_CHECK bool step_command(enum step step, const struct store_address *store,
                             const struct needs *needs, const struct sample *sample,
                             struct command *command);

/* True when @reply is what a working store answers. */
bool step_is_right(enum step step, const struct sample *sample, const redisReply *reply);
