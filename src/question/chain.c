#include "question/chain.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "process/helper.h"
#include "question/fcgi_client.h"
#include "session/script.h"
#include "session/store.h"
#include "util/clock.h"
#include "util/text.h"

/* One pool's chain as it is asked. */
struct chain {
	const struct chain_query *query;
	const struct session_source *source;
	unsigned pool;
	uint64_t until_ms;
	char value[32]; /* what the session shall hold */
	struct script_answer said;
	struct text why;
};

static bool uses_redis(const struct session_source *source)
{
	return strcmp(source->handler, "redis") == 0 ||
	       strcmp(source->handler, "rediscluster") == 0;
}

static void begin_why(struct chain *chain, const struct chain_replica *replica, const char *what)
{
	text_add(&chain->why, "pool %s: replica %u %s", chain->source->pool, replica->number, what);
}

/* What a replica answers to one request.  0, -ENOENT when PHP cannot see the script, or -errno. */
static int ask(struct chain *chain, const struct chain_replica *replica, const char *query)
{
	struct fastcgi_reply reply;
	char out[2048], err[256];
	const char *body;
	size_t size;
	int status;

	fastcgi_reply_init(&reply, out, sizeof(out), err, sizeof(err));
	int r = fcgi_ask(chain->query->private_fd, replica->probes[chain->pool],
	                 chain->query->script, query, script_settings, chain->until_ms, &reply);
	if (r >= 0)
		r = fastcgi_reply_head(&reply, &status, &body, &size);
	if (r < 0)
		return r;
	if (status == 404 || status == 403)
		return -ENOENT;
	return status == 200 ? script_read(body, size, &chain->said) : -EBADMSG;
}

static int complain(struct chain *chain, const struct chain_replica *replica, int error)
{
	if (error == -ENOENT)
		return error;
	if (error == -ETIMEDOUT)
		begin_why(chain, replica, "did not answer in time; does Redis hang?");
	else
		begin_why(chain, replica, "did not answer when PHP was asked to use a session");
	return -EREMOTEIO;
}

static void add_problem(struct chain *chain)
{
	if (chain->said.problem[0] == '\0')
		return;
	text_add(&chain->why, "; PHP says: ");
	text_add_quoted(&chain->why, chain->said.problem);
}

/* Leaves the session's id in chain->said. */
static int write_session(struct chain *chain)
{
	const struct chain_replica *writer = &chain->query->writer;
	char query[128];
	struct text text = TEXT(query);

	text_add(&text, "do=write&value=%s", chain->value);
	int r = ask(chain, writer, query);
	if (r < 0)
		return complain(chain, writer, r);
	if (chain->said.id[0] != '\0' && chain->said.problem[0] == '\0')
		return 0;
	begin_why(chain, writer, "cannot write a session");
	add_problem(chain);
	return -EREMOTEIO;
}

/* The last reader ends the session; should it not come to that, it expires. */
static int read_session(struct chain *chain, const struct chain_replica *reader, bool last,
                        const char *id)
{
	char query[SCRIPT_ID_SIZE + 32], what[96];
	struct text text = TEXT(query), what_text = TEXT(what);

	text_add(&text, "do=%s&id=%s", last ? "end" : "read", id);
	int r = ask(chain, reader, query);
	if (r < 0)
		return complain(chain, reader, r);
	if (strcmp(chain->said.value, chain->value) == 0)
		return 0;
	text_add(&what_text, "does not find the session that replica %u wrote",
	         chain->query->writer.number);
	begin_why(chain, reader, what);
	add_problem(chain);
	return -EREMOTEIO;
}

static int ask_pool(struct chain *chain)
{
	const struct chain_query *q = chain->query;
	char id[SCRIPT_ID_SIZE];
	int r = write_session(chain);

	memcpy(id, chain->said.id, sizeof(id));
	for (unsigned i = 0; r >= 0 && i < q->reader_count; i++)
		r = read_session(chain, &q->readers[i], i + 1 == q->reader_count, id);
	return r;
}

static void make_value(char *value, size_t size)
{
	struct text text = text_init(value, size);
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) < 0)
		number = clock_us();
	text_add(&text, "%016" PRIx64, number);
}

static void warn(struct chain_answer *answer, const struct session_source *source, const char *what)
{
	struct text text = TEXT(answer->warning);

	text_add(&text, "pool %s: %s, so no session could be passed from replica to replica",
	         source->pool, what);
}

static void ask_one(const struct chain_query *q, const struct session_source *source, unsigned pool,
                    uint64_t until_ms, struct chain_answer *answer)
{
	uint64_t start = clock_us();
	struct chain chain = {
		.query = q,
		.source = source,
		.pool = pool,
		.until_ms = until_ms,
		.why = TEXT(answer->why),
	};

	if (q->chrooted[pool]) {
		warn(answer, source, "it has chroot and cannot see twinit's script");
		return;
	}
	make_value(chain.value, sizeof(chain.value));
	int r = ask_pool(&chain);
	if (r == -ENOENT) {
		warn(answer, source, "PHP cannot read run_dir/pin");
		return;
	}
	uint64_t took = clock_us() - start;
	if (took > answer->took_us)
		answer->took_us = (uint32_t)took;
	answer->pools++;
	answer->state = r < 0 ? CHAIN_FAILED : CHAIN_OK;
}

void chain_run(const void *query, int answer_fd)
{
	static struct session_source sources[SESSION_SOURCES_MAX];
	const struct chain_query *q = query;
	uint64_t until_ms = clock_ms() + q->timeout_ms;
	struct chain_answer answer = { .state = CHAIN_NOT_ASKED };
	ssize_t n = pread(q->sources_fd, sources, sizeof(sources), 0);
	size_t count = n < 0 ? 0 : (size_t)n / sizeof(sources[0]);

	for (unsigned i = 0; answer.state != CHAIN_FAILED && i < q->pool_count && i < count; i++)
		if (uses_redis(&sources[i]))
			ask_one(q, &sources[i], i, until_ms, &answer);
	helper_answer(answer_fd, &answer, sizeof(answer));
}
