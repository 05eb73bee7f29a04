#include "session/locks.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "session/slice.h"
#include "session/step.h"
#include "util/text.h"

enum {
	PATTERN_SIZE = 2 * STORE_PREFIX_SIZE + 16,
	CURSOR_SIZE = 24,
};

void locks_pattern(const char *prefix, char *to, size_t size)
{
	struct text text = text_init(to, size);

	for (; *prefix; prefix++)
		text_add(&text, "%s%c", strchr("*?[]\\^", *prefix) ? "\\" : "", *prefix);
	text_add(&text, "*_LOCK");
}

long locks_owner(const char *value, const char *hostname)
{
	size_t length = strlen(hostname);

	if (strncmp(value, hostname, length) != 0 || value[length] != '|')
		return 0;
	struct slice digits = slice_of(value + length + 1);
	if (!slice_is_number(digits) || digits.length > 9)
		return 0;
	return strtol(digits.start, NULL, 10);
}

/* Workers share our PID namespace; one that runs as somebody else is there too (EPERM). */
static bool is_gone(long pid)
{
	return pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static int release(struct carrier *carrier, const char *key, const char *value, uint32_t *released)
{
	/* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): the script is several literals */
	const char *words[] = { "EVAL", STEP_RELEASE, "1", key, value };
	redisReply *reply = NULL;
	int r = carrier->ask(carrier, 5, words, &reply);

	if (r < 0)
		return r;
	*released += reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
	freeReplyObject(reply);
	return 0;
}

static int look_at(struct carrier *carrier, const char *key, const char *hostname,
                   uint32_t *released)
{
	const char *words[] = { "GET", key };
	redisReply *reply = NULL;
	int r = carrier->ask(carrier, 2, words, &reply);

	if (r < 0)
		return r;
	if (reply->type == REDIS_REPLY_STRING && is_gone(locks_owner(reply->str, hostname)))
		r = release(carrier, key, reply->str, released);
	freeReplyObject(reply);
	return r;
}

/* The keys of one answer to SCAN: [cursor, [key, ...]]. */
static int look_at_all(struct carrier *carrier, const redisReply *reply, const char *hostname,
                       char cursor[CURSOR_SIZE], uint32_t *released)
{
	int r = 0;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING ||
	    reply->element[1]->type != REDIS_REPLY_ARRAY ||
	    !text_copy(cursor, CURSOR_SIZE, reply->element[0]->str))
		return -EBADMSG;
	const redisReply *keys = reply->element[1];
	for (size_t i = 0; r == 0 && i < (size_t)keys->elements; i++)
		if (keys->element[i]->type == REDIS_REPLY_STRING)
			r = look_at(carrier, keys->element[i]->str, hostname, released);
	return r;
}

int locks_release(struct carrier *carrier, const char *prefix, const char *hostname,
                  uint32_t *released)
{
	char pattern[PATTERN_SIZE], cursor[CURSOR_SIZE] = "0";
	const char *words[] = { "SCAN", cursor, "MATCH", pattern, "COUNT", "1000" };
	int r;

	locks_pattern(prefix, pattern, sizeof(pattern));
	do {
		redisReply *reply = NULL;

		r = carrier->ask(carrier, 6, words, &reply);
		if (r < 0)
			return r;
		r = look_at_all(carrier, reply, hostname, cursor, released);
		freeReplyObject(reply);
	} while (r == 0 && strcmp(cursor, "0") != 0);
	return r;
}
