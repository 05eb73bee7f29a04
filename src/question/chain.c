#include "question/chain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "process/helper.h"
#include "question/fcgi_client.h"
#include "session/finding_file.h"
#include "session/plan.h"
#include "session/resolve.h"
#include "session/script.h"
#include "session/seek.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/random.h"
#include "util/text.h"

/* One pool's chain as it is asked. */
struct chain {
	const struct chain_query *query;
	const struct session_source *source;
	const struct chain_replica *writer;
	bool replaceable; /* the writer: it leaves, and a reader may write instead */
	unsigned pool;
	uint64_t until_ms;
	char subject[FINDING_SUBJECT_SIZE];
	char value[32]; /* what the session shall hold */
	struct script_answer said;
	struct findings *findings;
};

/* What a replica answers to one request.  0, -ENOENT when PHP cannot see the script, or -errno. */
static int ask(struct chain *chain, const struct chain_replica *replica, const char *query,
               uint64_t until_ms)
{
	struct fastcgi_reply reply;
	char out[2048], err[256];
	const char *body;
	size_t size;
	int status;

	fastcgi_reply_init(&reply, out, sizeof(out), err, sizeof(err));
	const struct fcgi_request request = {
		.file = chain->query->script,
		.name = chain->query->script,
		.uri = chain->query->script,
		.query = query,
		.settings = script_settings,
	};
	int r = fcgi_ask(chain->query->private_fd, replica->probes[chain->pool], &request, until_ms,
	                 &reply);
	if (r >= 0)
		r = fastcgi_reply_head(&reply, &status, &body, &size);
	if (r < 0)
		return r;
	if (status == 404 || status == 403)
		return -ENOENT;
	return status == 200 ? script_read(body, size, &chain->said) : -EBADMSG;
}

static void note(struct chain *chain, enum finding_result result, const char *fix, const char *seen)
{
	findings_note(chain->findings, FINDING_CHAIN, result, chain->subject, fix, "%s", seen);
}

/* Note that @replica did something, and what PHP said to it. */
PRINTF_LIKE(4, 5)
static bool fail(struct chain *chain, const struct chain_replica *replica, const char *fix,
                 const char *format, ...)
{
	char seen[FINDING_TEXT_SIZE];
	struct text text = TEXT(seen);
	va_list args;

	text_add(&text, "replica %u ", replica->number);
	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
	if (chain->said.problem[0]) {
		text_add(&text, ", PHP says ");
		text_add_quoted(&text, chain->said.problem);
	}
	note(chain, FINDING_FAILED, fix, seen);
	return false;
}

static bool complain(struct chain *chain, const struct chain_replica *replica, int error)
{
	chain->said.problem[0] = '\0';
	if (error == -ENOENT) {
		note(chain, FINDING_NOT_ASKED, "make run_dir a path that PHP can enter",
		     "PHP cannot read the script in run_dir/pin");
		return false;
	}
	if (error == -ETIMEDOUT)
		return fail(chain, replica, "see whether Redis hangs",
		            "did not get through with a session in time");
	return fail(chain, replica, "see what FPM logged",
	            "did not answer when PHP was asked to use a session");
}

/* Until when one may take who must leave time for another. */
static uint64_t part_of_time(const struct chain *chain)
{
	uint64_t now = clock_ms();

	return chain->until_ms > now ? now + (chain->until_ms - now) / 3 : now;
}

/* Leaves the session's id in chain->said. */
static int try_to_write(struct chain *chain, uint64_t until_ms)
{
	char query[128];
	struct text text = TEXT(query);

	text_add(&text, "do=write&value=%s", chain->value);
	int r = ask(chain, chain->writer, query, until_ms);
	if (r < 0)
		return r;
	return chain->said.id[0] == '\0' || chain->said.problem[0] != '\0' ? -EREMOTEIO : 0;
}

/*
 * Who leaves and cannot write a session any more has none to lose, and must not keep out a release
 * that can: it gets a part of the time, and then a reader writes.
 */
static bool write_session(struct chain *chain)
{
	int r = try_to_write(chain, chain->replaceable ? part_of_time(chain) : chain->until_ms);

	if (r < 0 && chain->replaceable) {
		chain->writer = &chain->query->readers[0];
		r = try_to_write(chain, chain->until_ms);
	}
	if (r == -EREMOTEIO)
		return fail(chain, chain->writer, "see what the store says to `twinit sessions`",
		            "cannot write a session");
	return r < 0 ? complain(chain, chain->writer, r) : true;
}

/* The last reader ends the session; should it not come to that, it expires. */
static bool read_session(struct chain *chain, const struct chain_replica *reader, bool last,
                         const char *id)
{
	char query[SCRIPT_ID_SIZE + 32];
	struct text text = TEXT(query);

	text_add(&text, "do=%s&id=%s", last ? "end" : "read", id);
	int r = ask(chain, reader, query, chain->until_ms);
	if (r < 0)
		return complain(chain, reader, r);
	if (strcmp(chain->said.value, chain->value) != 0)
		return fail(chain, reader,
		            "give all replicas one session.save_path; if it was changed on "
		            "purpose, restart the container",
		            "does not find the session that replica %u wrote",
		            chain->writer->number);
	return true;
}

/* Who wrote it need not read it, unless there is nobody else. */
static unsigned first_reader(const struct chain *chain)
{
	return chain->writer == &chain->query->readers[0] && chain->query->reader_count > 1;
}

static bool read_all(struct chain *chain, const char *id)
{
	const struct chain_query *q = chain->query;

	for (unsigned i = first_reader(chain); i < q->reader_count; i++)
		if (!read_session(chain, &q->readers[i], i + 1 == q->reader_count, id))
			return false;
	return true;
}

static void praise(struct chain *chain, enum sought sought, const char *where, uint64_t took_us)
{
	static const char *const ends[] = {
		[SOUGHT_FOUND] = ", and it was in the store ",
		[SOUGHT_MISSING] = "",
		[SOUGHT_UNKNOWN] = "; the store did not let us look",
		[SOUGHT_TLS] = ", over TLS, where only PHP can look",
	};
	char seen[FINDING_TEXT_SIZE];
	struct text text = TEXT(seen);
	unsigned readers = chain->query->reader_count - first_reader(chain);

	text_add(&text, "what replica %u writes is read by %u replica%s, by PHP itself, ",
	         chain->writer->number, readers, readers == 1 ? "" : "s");
	text_add(&text, "in %" PRIu64 ".%" PRIu64 " ms%s%s", took_us / 1000, took_us % 1000 / 100,
	         ends[sought], sought == SOUGHT_FOUND ? where : "");
	note(chain, FINDING_OK, NULL, seen);
}

static void ask_pool(struct chain *chain)
{
	uint64_t start = clock_us();
	char id[SCRIPT_ID_SIZE], where[STORE_WHERE_SIZE] = "";

	if (!write_session(chain))
		return;
	memcpy(id, chain->said.id, sizeof(id));
	enum sought sought = seek_session(chain->source, id, chain->until_ms * 1000, where);
	if (!read_all(chain, id))
		return;
	if (sought == SOUGHT_MISSING)
		fail(chain, chain->writer,
		     "compare session.save_path in php.ini, conf.d and the pool with what "
		     "`twinit sessions` asks",
		     "keeps its sessions elsewhere than in %s", where);
	else
		praise(chain, sought, where, clock_us() - start);
}

static void make_value(char *value, size_t size)
{
	struct text text = text_init(value, size);

	text_add(&text, "%016" PRIx64, random_number());
}

/* Pools' settings as one release has them. */
struct sources {
	unsigned count;
	struct session_source list[SESSION_SOURCES_MAX];
};

static void read_sources(int fd, struct sources *sources)
{
	ssize_t n = pread(fd, sources->list, sizeof(sources->list), 0);

	sources->count = n < 0 ? 0 : (unsigned)((size_t)n / sizeof(sources->list[0]));
}

/* Does the pool of that name keep its sessions in Redis? */
static bool keeps_in_redis(const struct sources *sources, const char *pool)
{
	for (unsigned i = 0; i < sources->count; i++)
		if (strcmp(sources->list[i].pool, pool) == 0)
			return plan_is_redis(&sources->list[i]);
	return false;
}

/*
 * @old: what the writer's release has, where that is another one; or NULL.  A pool that it does not
 * have, or that kept its sessions elsewhere, has no old session.
 */
static void ask_one(const struct chain_query *q, const struct session_source *source,
                    const struct sources *old, unsigned pool, uint64_t until_ms,
                    struct findings *findings)
{
	const bool has_old = old && keeps_in_redis(old, source->pool);
	struct chain chain = {
		.query = q,
		.source = source,
		.writer = !old || has_old ? &q->writer : &q->readers[0],
		.replaceable = has_old,
		.pool = pool,
		.until_ms = until_ms,
		.findings = findings,
	};

	plan_subject(source, chain.subject, sizeof(chain.subject));
	make_value(chain.value, sizeof(chain.value));
	if (q->chrooted[pool])
		note(&chain, FINDING_NOT_ASKED, NULL,
		     "it has chroot and cannot see twinit's script");
	else
		ask_pool(&chain);
}

static void conclude(const struct findings *findings, struct chain_answer *answer)
{
	const struct finding *failed = findings_first(findings, FINDING_FAILED);
	const struct finding *unasked = findings_first(findings, FINDING_NOT_ASKED);

	if (failed) {
		answer->state = CHAIN_FAILED;
		finding_sentence(failed, answer->why, sizeof(answer->why));
	} else if (unasked) {
		finding_sentence(unasked, answer->why, sizeof(answer->why));
	} else if (findings_first(findings, FINDING_OK)) {
		answer->state = CHAIN_OK;
	}
}

static void append(const struct findings *from, struct findings *to)
{
	for (uint32_t i = 0; i < from->count; i++) {
		const struct finding *f = &from->list[i];

		findings_note(to, (enum finding_id)f->id, (enum finding_result)f->result,
		              f->subject, f->fix, "%s", f->seen);
	}
}

void chain_run(const void *query, int answer_fd)
{
	static struct sources sources, old;
	static struct findings found, all;
	const struct chain_query *q = query;
	uint64_t until_ms = clock_ms() + q->timeout_ms;
	struct chain_answer answer = { .state = CHAIN_NOT_ASKED };
	_cleanup_close_ int fd = memfd_create("twinit-findings", MFD_CLOEXEC);

	memset(&found, 0, sizeof(found));
	memset(&all, 0, sizeof(all));
	read_sources(q->sources_fd, &sources);
	if (q->old_sources_fd >= 0)
		read_sources(q->old_sources_fd, &old);
	resolve_prepare(q->timeout_ms);
	if (q->findings_fd >= 0 && finding_file_read(q->findings_fd, &all) < 0)
		memset(&all, 0, sizeof(all));
	for (unsigned i = 0; i < q->pool_count && i < sources.count; i++)
		if (plan_is_redis(&sources.list[i]))
			ask_one(q, &sources.list[i], q->old_sources_fd >= 0 ? &old : NULL, i,
			        until_ms, &found);
	conclude(&found, &answer);
	append(&found, &all);
	if (fd >= 0 && finding_file_write(fd, &all) < 0)
		fd_close(&fd);
	helper_answer_with_fd(answer_fd, &answer, sizeof(answer), fd);
}
