#include "init/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/power.h"
#include "init/report.h"
#include "init/sessions.h"
#include "util/cleanup.h"
#include "util/fs.h"

/* Newer than the headers of the oldest distribution we build on. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum { SETTINGS_TIMEOUT_MS = 30000 };

static void refuse(struct app *app, const char *why)
{
	struct text text = TEXT(app->why);

	text_add(&text, "%s", why);
	app->preflight_answer = ANSWER_NO;
	generation_forget_candidate(app);
}

static void refuse_errno(struct app *app, const char *what, int error)
{
	char why[WHY_SIZE];
	struct text text = TEXT(why);

	text_add(&text, "%s: %s", what, child_trouble(error));
	refuse(app, why);
}

static struct generation *free_place(struct app *app)
{
	for (size_t i = 0; i < GENERATIONS_MAX; i++)
		if (app->generations[i].number == 0)
			return &app->generations[i];
	return NULL;
}

/* Before Linux 6.3 every memfd may be run. */
static int make_program(void)
{
	int fd = memfd_create("php-fpm", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("php-fpm", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

static int make_memfds(struct generation *generation)
{
	generation->sources = memfd_create("twinit-sessions", MFD_CLOEXEC);
	if (generation->sources < 0)
		return -errno;
	generation->program = make_program();
	if (generation->program < 0)
		return generation->program;
	for (size_t i = 0; i < OVERLAYS_MAX; i++) {
		generation->overlays[i] = memfd_create("twinit-fpm.conf", MFD_CLOEXEC);
		if (generation->overlays[i] < 0)
			return -errno;
	}
	return 0;
}

/*
 * Masters that we cannot signal would never go, and every roll would wait for them.  (Without
 * CAP_SETUID and CAP_SETGID those of one user do not even start, and say so themselves.)
 */
static bool may_run_masters(struct app *app, const struct settings_answer *fpm)
{
	const uint64_t have = app->supervisor->caps;

	if (fpm->identity.uid == geteuid() && fpm->identity.uid != 0)
		return true;
	if (fpm->identity.uid != 0 && (have & CAP_BIT(CAP_KILL)))
		return true;
	if (fpm->identity.uid == 0 && (have & PRIVILEGES_LEAST) == PRIVILEGES_LEAST &&
	    (!fpm->needs.chroot || (have & CAP_BIT(CAP_SYS_CHROOT))))
		return true;
	refuse(app, fpm->identity.uid != 0
	                    ? "PHP runs as another user and the capability KILL is missing, so its "
	                      "masters could not be stopped; add it (cap_add: [KILL, SETUID, "
	                      "SETGID]), or run the container as the pool's user"
	                    : "pools with several users need the capabilities SETUID, SETGID and "
	                      "KILL, and SYS_CHROOT for chroot; add what is missing (cap_add), or "
	                      "give each user an [app] of its own");
	return false;
}

static int parse_address(const struct generation *generation, unsigned pool,
                         struct address *address)
{
	*address = (struct address){ 0 };
	return address_parse(generation->fpm.settings.pools[pool].listen, address);
}

static bool same_address(const struct address *a, const struct address *b)
{
	return a->length == b->length && a->any == b->any &&
	       memcmp(&a->sockaddr, &b->sockaddr, a->length) == 0;
}

/* Which of the open addresses is the pool's?  False when it has none. */
static bool match_pool(const struct app *app, struct generation *generation, unsigned pool)
{
	struct address address;

	if (parse_address(generation, pool, &address) < 0)
		return false;
	for (unsigned i = 0; i < app->lanes_count; i++)
		if (same_address(&app->lanes[i].address, &address)) {
			generation->lanes_of[pool] = i;
			return true;
		}
	return false;
}

/* At boot the addresses are opened in the order of the pools; later they must be the same ones. */
static bool match_pools(struct app *app, struct generation *generation)
{
	const struct fpm_settings *settings = &generation->fpm.settings;
	char why[WHY_SIZE];
	struct text text = TEXT(why);

	for (unsigned i = 0; i < settings->pool_count; i++)
		generation->lanes_of[i] = i;
	if (app->lanes_count == 0)
		return true;
	if (settings->pool_count != app->lanes_count) {
		refuse(app, "pools were added or removed; their addresses need a restart of the "
		            "container");
		return false;
	}
	for (unsigned i = 0; i < settings->pool_count; i++)
		if (!match_pool(app, generation, i)) {
			text_add(&text,
			         "pool %s: listen = %s is new; a changed address needs a "
			         "restart of the container",
			         settings->pools[i].name, settings->pools[i].listen);
			refuse(app, why);
			return false;
		}
	return true;
}

/* --- may sessions be kept with these settings? --- */

static void on_store_answer(struct helper *helper, const void *data, size_t size)
{
	struct app *app = container_of(helper, struct app, preflight);
	struct store_report report;
	char why[WHY_SIZE];
	struct text text = TEXT(why);

	if (size != sizeof(report))
		return;
	memcpy(&report, data, sizeof(report));
	helper_stop(helper);
	sessions_judge(app, &report);
	text_add(&text, "session store: %s", report.reason);
	if (report.state == STORE_FAILED) {
		refuse(app, why);
	} else {
		app->candidate->uses_redis = report.uses_redis;
		app->preflight_answer = ANSWER_YES;
	}
}

static void on_store_end(struct helper *helper)
{
	struct app *app = container_of(helper, struct app, preflight);

	refuse(app, "the session store did not answer in time");
}

/* At boot the store may come later than we, and is waited for. */
static void ask_store(struct app *app)
{
	struct supervisor *s = app->supervisor;
	enum verify verify = s->config->sessions.verify;
	int r;

	if (s->boot != BOOT_DONE || verify == VERIFY_OFF || verify == VERIFY_REPORT) {
		app->preflight_answer = ANSWER_YES;
		return;
	}
	r = sessions_start(app, app->candidate->sources, true, &app->preflight, on_store_answer,
	                   on_store_end);
	if (r < 0)
		refuse_errno(app, "cannot ask the session store", r);
}

/* --- settings --- */

/* Whoever asks for a read-only release relies on it. */
static bool read_only_possible(struct app *app)
{
	if (!app->candidate->fpm.app.read_only || app->pin == PIN_MOUNT || app->pin == PIN_USERNS)
		return true;
	refuse(app, "read_only = yes needs isolation by namespace, which cannot be had here; set "
	            "read_only = no");
	return false;
}

/* Mebibytes, rounded up. */
static unsigned mebibytes(uint64_t bytes)
{
	return (unsigned)((bytes + (1 << 20) - 1) >> 20);
}

/* Too tight for the surge: less of it, down to one out and one in. */
static bool fits(struct app *app)
{
	struct app_config *config = &app->candidate->fpm.app;
	const struct room *room = &app->candidate->fpm.room;
	unsigned wanted = config->surge == SURGE_DEFAULT ? config->replicas : config->surge;
	unsigned possible;
	char why[WHY_SIZE];
	struct text text = TEXT(why);

	if (room_surge(room, config->replicas, wanted, &possible)) {
		if (possible < wanted)
			log_write(NOTICE_SURGE_LOWERED, app->config.name,
			          "the container's limits leave room for %u more replicas of "
			          "%u MiB "
			          "and %u processes, rolling with surge %u instead of %u",
			          possible, mebibytes(room->memory_each), (unsigned)room->pids_each,
			          possible, wanted);
		config->surge = possible;
		return true;
	}
	text_add(&text,
	         "no room for a second replica of %u MiB and %u processes; raise the container's "
	         "memory or pids limit",
	         mebibytes(room->memory_each), (unsigned)room->pids_each);
	refuse(app, why);
	return false;
}

/* A roll seldom comes with another php-fpm, and two copies of one would take memory twice. */
static void take_program(const struct app *app, struct generation *generation)
{
	if (!generation->fpm.copied)
		fd_close(&generation->program);
	if (generation->fpm.copied_earlier && app->active)
		generation->program = fcntl(app->active->program, F_DUPFD_CLOEXEC, 0);
}

static void accept_settings(struct app *app)
{
	struct generation *generation = app->candidate;

	if (!may_run_masters(app, &generation->fpm) || !read_only_possible(app) ||
	    !match_pools(app, generation) || (app->active && !fits(app)))
		return;
	take_program(app, generation);
	power_say(app);
	ask_store(app);
}

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	struct app *app = container_of(helper, struct app, preflight);
	struct generation *generation = app->candidate;
	_cleanup_close_ int release_fd = TAKE_FD(helper->passed_fd);
	char why[WHY_SIZE];

	if (size > sizeof(generation->fpm))
		return;
	memcpy(&generation->fpm, data, size);
	helper_stop(helper); /* one answer is all it has */
	if (!settings_answer_check(&generation->fpm, size)) {
		generation->fpm = (struct settings_answer){ 0 };
		refuse(app, "the helper that reads the FPM configuration gave a wrong answer");
	} else if (!generation->fpm.ok) {
		/* Refusing frees the generation. */
		text_copy_cut(why, sizeof(why), generation->fpm.why);
		refuse(app, why);
	} else {
		release_adopt(&generation->release, generation->fpm.release, TAKE_FD(release_fd));
		accept_settings(app);
	}
}

static void on_end(struct helper *helper)
{
	struct app *app = container_of(helper, struct app, preflight);

	if (app->preflight_answer == ANSWER_PENDING)
		refuse(app,
		       helper->late
		               ? "reading the FPM configuration (php-fpm -tt) took longer than 30 s"
		               : "the helper that reads the FPM configuration died");
}

static int ask(struct app *app, struct generation *generation)
{
	struct supervisor *s = app->supervisor;
	struct settings_query query = {
		.app = &app->config,
		.read_again = s->boot == BOOT_DONE,
		.config_file = s->config_file,
		.secrets = s->config->secrets,
		.pin = app->pin,
		.run_dir = s->run.path,
		.generation = generation->number,
		.program = generation->program,
		.active = app->active ? &app->active->fpm : NULL,
		.active_copied = app->active && app->active->program >= 0,
		.sources = generation->sources,
		.pin_fd = s->run.pin_fd,
	};
	struct question question = {
		.run = settings_run,
		.query = &query,
		.power = POWER_CONFIG,
		.timeout_ms = SETTINGS_TIMEOUT_MS,
		.keep = { generation->sources, generation->program, s->run.pin_fd },
		.keep_count = 3,
	};

	for (size_t i = 0; i < OVERLAYS_MAX; i++) {
		query.overlays[i] = generation->overlays[i];
		question.keep[question.keep_count++] = generation->overlays[i];
	}
	for (size_t i = 0; i < MASTERS_MAX && query.master_count < REPLICAS_MAX; i++)
		if (app->masters[i].state == MASTER_READY && app->masters[i].group == GROUP_ACTIVE)
			query.masters[query.master_count++] = app->masters[i].child.pid;
	app->preflight.on_answer = on_answer;
	app->preflight.on_end = on_end;
	return helper_start(&app->preflight, &s->loop, &s->inheritance, &question);
}

void generation_begin(struct app *app)
{
	struct generation *generation = free_place(app);
	int r;

	app->preflight_answer = ANSWER_PENDING;
	if (!generation) {
		refuse(app, "the releases of earlier rolls are all still in use");
		return;
	}
	generation->number = ++app->generation_count;
	generation->sources = FD_NONE;
	generation->program = FD_NONE;
	generation->uses_redis = false;
	for (size_t i = 0; i < OVERLAYS_MAX; i++)
		generation->overlays[i] = FD_NONE;
	release_none(&generation->release);
	app->candidate = generation;
	r = make_memfds(generation);
	if (r >= 0)
		r = ask(app, generation);
	if (r < 0)
		refuse_errno(app, "cannot read the FPM configuration", r);
}

static void remove_prepends(struct app *app, const struct generation *generation)
{
	const struct fpm_settings *settings = &generation->fpm.settings;
	char name[NAME_SIZE + POOL_NAME_SIZE + 32];

	/* A helper that died has written for the pools that it found: those that serve already. */
	if (settings->pool_count == 0 && app->active)
		settings = &app->active->fpm.settings;
	for (unsigned i = 0; i < settings->pool_count && i < POOLS_MAX; i++) {
		settings_prepend_name(app->config.name, generation->number, settings->pools[i].name,
		                      name, sizeof(name));
		(void)unlinkat(app->supervisor->run.pin_fd, name, 0);
	}
}

static void free_generation(struct app *app, struct generation *generation)
{
	if (app->pin == PIN_PATH)
		remove_prepends(app, generation);
	for (size_t i = 0; i < OVERLAYS_MAX; i++)
		fd_close(&generation->overlays[i]);
	fd_close(&generation->sources);
	fd_close(&generation->program);
	release_done(&generation->release);
	generation->fpm.settings.pool_count = 0;
	generation->number = 0;
}

void generation_forget_candidate(struct app *app)
{
	helper_stop(&app->preflight);
	app->candidate = NULL;
	generation_collect(app);
}

static bool in_use(const struct app *app, const struct generation *generation)
{
	if (generation == app->active || generation == app->candidate ||
	    generation == app->watch.back || generation == app->publishing)
		return true;
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (app->masters[i].state != MASTER_GONE &&
		    app->masters[i].generation == generation)
			return true;
	return false;
}

void generation_collect(struct app *app)
{
	for (size_t i = 0; i < GENERATIONS_MAX; i++) {
		struct generation *generation = &app->generations[i];

		if (generation->number == 0 || in_use(app, generation))
			continue;
		relay_finish(&generation->relay);
		if (!relay_runs(&generation->relay))
			free_generation(app, generation);
	}
}

void generation_clean_up(struct app *app)
{
	int pin_fd = app->supervisor->run.pin_fd;
	char name[CONFIG_PATH_SIZE];

	for (size_t i = 0; i < GENERATIONS_MAX; i++) {
		settings_program_link(app->generations[i].fpm.php_fpm, name, sizeof(name));
		(void)unlinkat(pin_fd, name, 0);
	}
	/* Which fails until the last app is gone. */
	(void)unlinkat(pin_fd, PROGRAM_DIR, AT_REMOVEDIR);
}
