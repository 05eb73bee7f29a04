#include "init/chain.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/answers.h"
#include "init/launch.h"
#include "init/masters.h"
#include "init/report.h"
#include "init/sessions.h"
#include "session/script.h"
#include "util/cleanup.h"
#include "util/fs.h"

#define SCRIPT_NAME "sessions.php"

enum {
	CHAIN_MS = 10000,
	HELPER_SLACK_MS = 1000,
	AGAIN_MS = 250,
};

int chain_prepare(struct supervisor *supervisor)
{
	int dir_fd = supervisor->run.pin_fd;
	struct text text = TEXT(supervisor->script);
	int r = write_file_at(dir_fd, SCRIPT_NAME, script_php);

	text_add(&text, "%s/pin/" SCRIPT_NAME, supervisor->run.path);

	/* Readable for PHP whatever our umask is. */
	if (r >= 0 && fchmodat(dir_fd, SCRIPT_NAME, 0644, 0) < 0)
		r = -errno;
	return r;
}

void chain_clean_up(struct supervisor *supervisor)
{
	(void)unlinkat(supervisor->run.pin_fd, SCRIPT_NAME, 0);
}

static void conclude(struct app *app, enum chain_state state, const char *why)
{
	app->proof = ANSWER_YES;
	if (state != CHAIN_FAILED)
		return;
	if (app->supervisor->config->sessions.verify == VERIFY_REPORT) {
		report_text(app, NEWS_SESSIONS_DOUBT, "%s", why);
		return;
	}
	struct text text = TEXT(app->why);
	text_add(&text, "sessions: %s", why);
	app->proof = ANSWER_NO;
}

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	struct app *app = container_of(helper, struct app, chain);
	struct chain_answer answer;

	if (size != sizeof(answer))
		return;
	memcpy(&answer, data, sizeof(answer));
	answer.why[sizeof(answer.why) - 1] = '\0';
	helper_stop(helper);
	if (answer.state == CHAIN_NOT_ASKED && answer.why[0] != '\0')
		report_text(app, NEWS_SESSIONS_DOUBT, "%s", answer.why);
	conclude(app, answer.state, answer.why);
}

static void on_end(struct helper *helper)
{
	conclude(container_of(helper, struct app, chain), CHAIN_FAILED,
	         helper->late ? "no replica passed a session on in time"
	                      : "the helper that asks for a session died");
}

/* The pool of @generation that has the name of @pool in @other; POOLS_MAX: none. */
static unsigned same_pool(const struct generation *generation, const struct generation *other,
                          unsigned pool)
{
	const struct fpm_settings *settings = &generation->fpm.settings;

	for (unsigned i = 0; i < settings->pool_count; i++)
		if (strcmp(settings->pools[i].name, other->fpm.settings.pools[pool].name) == 0)
			return i;
	return POOLS_MAX;
}

static void name_replica(const struct master *master, const struct generation *generation,
                         struct chain_replica *replica)
{
	replica->number = master->number;
	for (unsigned pool = 0; pool < generation->fpm.settings.pool_count; pool++) {
		unsigned its = same_pool(master->generation, generation, pool);

		if (its < POOLS_MAX)
			launch_private_name(master, its, PRIVATE_PROBE, replica->probes[pool]);
	}
}

static const struct master *first_ready(struct app *app, enum group group)
{
	for (unsigned number = 1; number <= REPLICAS_MAX; number++) {
		const struct master *master = master_find(app, group, number);

		if (master && master->state == MASTER_READY)
			return master;
	}
	return NULL;
}

/* False when nobody is there to ask. */
static bool name_replicas(struct app *app, enum group readers, const struct generation *generation,
                          struct chain_query *query)
{
	const struct master *writer = first_ready(app, GROUP_ACTIVE);

	if (!writer)
		writer = first_ready(app, readers);
	if (!writer)
		return false;
	name_replica(writer, generation, &query->writer);
	if (writer->generation != generation)
		query->old_sources_fd = writer->generation->sources;
	for (unsigned number = 1; number <= REPLICAS_MAX; number++) {
		const struct master *reader = master_find(app, readers, number);

		if (reader && reader != writer && reader->state == MASTER_READY)
			name_replica(reader, generation, &query->readers[query->reader_count++]);
	}
	if (query->reader_count == 0)
		query->readers[query->reader_count++] = query->writer;
	return true;
}

/* Fills @query, which is all zero; false when nobody is there to ask. */
static bool make_query(struct app *app, enum group readers, struct chain_query *query)
{
	const struct generation *generation =
		readers == GROUP_CANDIDATE ? app->candidate : app->active;

	query->private_fd = app->supervisor->run.private_fd;
	query->sources_fd = generation->sources;
	query->old_sources_fd = FD_NONE;
	query->findings_fd = FD_NONE;
	query->script = app->supervisor->script;
	query->pool_count = generation->fpm.settings.pool_count;
	query->timeout_ms = CHAIN_MS;
	for (unsigned pool = 0; pool < query->pool_count; pool++)
		query->chrooted[pool] = generation->fpm.settings.pools[pool].chrooted;
	return name_replicas(app, readers, generation, query);
}

static int start(struct app *app, const struct chain_query *query, struct helper *helper)
{
	struct supervisor *s = app->supervisor;
	struct question question = {
		.run = chain_run,
		.query = query,
		.power = POWER_CHAIN,
		.keep = { query->private_fd, query->sources_fd },
		.keep_count = 2,
		.timeout_ms = CHAIN_MS + HELPER_SLACK_MS,
	};

	if (query->old_sources_fd >= 0)
		question.keep[question.keep_count++] = query->old_sources_fd;
	if (query->findings_fd >= 0)
		question.keep[question.keep_count++] = query->findings_fd;
	return helper_start(helper, &s->loop, &s->inheritance, &question);
}

/* A roll may bring sessions to Redis that were elsewhere. */
static bool is_wanted(const struct app *app, enum group readers)
{
	return sessions_wanted(app) || (readers == GROUP_CANDIDATE && app->candidate->uses_redis);
}

void chain_ask(struct app *app, enum group readers)
{
	app->proof = ANSWER_PENDING;
	if (!is_wanted(app, readers)) {
		app->proof = ANSWER_YES;
		return;
	}
	struct chain_query *query = helper_query(sizeof(*query));
	if (!make_query(app, readers, query)) {
		conclude(app, CHAIN_FAILED, "no replica is ready to be asked");
		return;
	}
	int r = start(app, query, &app->chain);
	if (r < 0)
		conclude(app, CHAIN_FAILED, child_trouble(r));
}

/* --- for somebody who asks now --- */

static void on_look(struct helper *helper, const void *data, size_t size)
{
	struct app *app = container_of(helper, struct app, chain_look);
	const struct chain_answer *answer = data;

	if (size != sizeof(*answer))
		return;
	app->chain_failed = answer->state == CHAIN_FAILED;
	if (helper->passed_fd >= 0) {
		fd_close(&app->findings);
		app->findings = TAKE_FD(helper->passed_fd);
	}
	helper_stop(helper);
	answers_sessions_asked(app);
}

static void on_look_end(struct helper *helper)
{
	struct app *app = container_of(helper, struct app, chain_look);

	log_write(NOTICE_SESSION_UNPROVED, app->config.name,
	          "the helper that asks PHP for a session %s",
	          helper->late ? "took too long" : "died");
	app->chain_failed = true;
	answers_sessions_asked(app);
}

void chain_look(struct app *app)
{
	app->chain_failed = false;
	if (helper_running(&app->chain_look))
		return;
	struct chain_query *query = helper_query(sizeof(*query));
	if (!app->active || !app->store.uses_redis || app->store.state == STORE_FAILED ||
	    !make_query(app, GROUP_ACTIVE, query)) {
		answers_sessions_asked(app);
		return;
	}
	query->findings_fd = app->findings;
	int r = start(app, query, &app->chain_look);
	if (r < 0) {
		log_errno(r, NOTICE_SESSION_UNPROVED, app->config.name,
		          "cannot ask PHP for a session");
		answers_sessions_unasked(app, "PHP for a session", r);
	}
}

void chain_stop(struct app *app)
{
	deadline_disarm(&app->supervisor->loop, &app->chain_again);
	helper_stop(&app->chain);
	helper_stop(&app->chain_look);
}

static void on_again(struct deadline *deadline)
{
	chain_ask(container_of(deadline, struct app, chain_again), GROUP_ACTIVE);
}

void chain_ask_again(struct app *app)
{
	app->proof = ANSWER_PENDING;
	deadline_arm(&app->supervisor->loop, &app->chain_again, AGAIN_MS);
}

void chain_init(struct app *app)
{
	app->chain_again.on_due = on_again;
	app->chain.source.fd = FD_NONE;
	app->chain.on_answer = on_answer;
	app->chain.on_end = on_end;
	app->chain_look.source.fd = FD_NONE;
	app->chain_look.on_answer = on_look;
	app->chain_look.on_end = on_look_end;
}
