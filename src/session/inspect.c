#include "session/inspect.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "session/login.h"
#include "session/resp.h"
#include "util/text.h"

enum {
	LOOKS_MAX = 4, /* stores that replicate to each other need a moment */
	LOOK_PAUSE_MS = 50,
	SLOT_TRIES = 8, /* keys of as many slots: three nodes hide from all with 1 in 6561 */
};

static enum sight look_once(struct resp *resp, const struct sample *sample)
{
	const char *words[] = { "GET", sample->key };
	redisReply *reply = NULL;

	if (login_ask(resp, 2, words, &reply) < 0)
		return SIGHT_UNKNOWN;
	bool same = reply->type == REDIS_REPLY_STRING && strcmp(reply->str, sample->value) == 0;
	freeReplyObject(reply);
	return same ? SIGHT_SEEN : SIGHT_MISSING;
}

static enum sight look(struct resp *resp, const struct sample *sample)
{
	const struct timespec pause = { .tv_nsec = LOOK_PAUSE_MS * 1000 * 1000 };
	enum sight sight = SIGHT_UNKNOWN;

	for (int i = 0; sample && i < LOOKS_MAX; i++) {
		if (i > 0)
			(void)nanosleep(&pause, NULL);
		sight = look_once(resp, sample);
		if (sight != SIGHT_MISSING)
			break;
	}
	return sight;
}

static int ask_facts(struct resp *resp, int count, const char **words, struct facts *facts,
                     void (*read)(struct facts *facts, const redisReply *reply))
{
	redisReply *reply = NULL;
	int r = login_ask(resp, count, words, &reply);

	if (r < 0)
		return r;
	read(facts, reply);
	freeReplyObject(reply);
	return 0;
}

/* True when one of some random keys lives on another node. */
static bool is_moved(struct resp *resp, const struct store_address *store)
{
	bool moved = false;

	for (int i = 0; i < SLOT_TRIES && !moved; i++) {
		struct sample sample;
		redisReply *reply = NULL;

		sample_make(&sample, store->prefix);
		const char *words[] = { "GET", sample.key };
		if (resp_ask(resp, 2, words, &reply) < 0)
			return false;
		moved = reply->type == REDIS_REPLY_ERROR && text_begins(reply->str, "MOVED");
		freeReplyObject(reply);
	}
	return moved;
}

static void inspect_setup(struct inspection *i, struct resp *resp)
{
	const char *hello[] = { "HELLO" }, *info[] = { "INFO" },
		   *save[] = { "CONFIG", "GET", "save" };
	int r = ask_facts(resp, 1, hello, &i->facts, facts_read_hello);

	if (r == 0 || r == -EACCES)
		r = ask_facts(resp, 1, info, &i->facts, facts_read_info);
	if (r == 0)
		r = ask_facts(resp, 3, save, &i->facts, facts_read_save);
	if ((r == 0 || r == -EACCES) && facts_is_cluster(&i->facts))
		i->moved = is_moved(resp, i->store);
}

void inspect(struct inspection *inspection, uint64_t deadline_us, bool deep)
{
	struct inspection *i = inspection;
	struct resp resp = resp_init(deadline_us);

	i->asked = true;
	facts_init(&i->facts);
	i->own_sight = i->other_sight = SIGHT_UNKNOWN;
	if (login(&resp, i->store, i->target) == 0) {
		i->own_sight = look(&resp, i->own);
		i->other_sight = look(&resp, i->other);
		if (deep)
			inspect_setup(i, &resp);
	}
	resp_done(&resp);
}
