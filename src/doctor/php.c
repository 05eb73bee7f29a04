#include <stdio.h>
#include <stdlib.h>

#include "doctor/doctor.h"
#include "util/text.h"

enum { KB = 1024, MB = KB * KB, OPCACHE_LEAST = 64 * MB, VERSION_LEAST = 800, PIDS_SPARE = 20 };

uint64_t doctor_bytes(const char *size)
{
	char *end;
	long long number = strtoll(size, &end, 10);

	if (number < 0)
		return UINT64_MAX;
	switch (*end) {
	case 'g':
	case 'G':
		return (uint64_t)number * KB * MB;
	case 'm':
	case 'M':
		return (uint64_t)number * MB;
	case 'k':
	case 'K':
		return (uint64_t)number * KB;
	}
	return (uint64_t)number;
}

static unsigned in_mb(uint64_t bytes)
{
	return (unsigned)((bytes + MB / 2) / MB);
}

static uint64_t workers_of(const struct app_facts *app, unsigned pool)
{
	const unsigned replicas = app->config.replicas;
	const unsigned children = app->php.settings.pools[pool].max_children;

	if (app->config.workers == WORKERS_FULL)
		return (uint64_t)children * replicas;
	return children > replicas ? children : replicas;
}

uint64_t doctor_workers(const struct app_facts *app)
{
	const uint64_t most = (uint64_t)app->php.settings.process_max *
	                      (app->config.workers == WORKERS_FULL ? app->config.replicas : 1);
	uint64_t sum = 0;

	for (unsigned i = 0; i < app->php.settings.pool_count; i++)
		sum += workers_of(app, i);
	return most > 0 && most < sum ? most : sum;
}

static unsigned surge_of(const struct app_config *config)
{
	return config->surge == SURGE_DEFAULT ? config->replicas : config->surge;
}

/* --- PHP and OPcache --- */

static void judge_version(const struct app_facts *app, struct diagnoses *d)
{
	const struct php_facts *p = &app->php;

	if (!text_begins(p->sapi, "FPM"))
		diagnoses_note(d, DIAGNOSIS_PHP, DIAGNOSIS_PROBLEM, app->config.name,
		               "set php_fpm to a PHP-FPM binary", "%s is PHP %s for '%s', not FPM",
		               p->binary, p->version, p->sapi);
	else if (p->version_id < VERSION_LEAST)
		diagnoses_note(d, DIAGNOSIS_PHP, DIAGNOSIS_PROBLEM, app->config.name,
		               "use PHP 8.0 or newer, whose pools have pm.status_listen",
		               "%s is PHP %s", p->binary, p->version);
	else
		diagnoses_note(d, DIAGNOSIS_PHP, DIAGNOSIS_OK, app->config.name, NULL,
		               "%s is PHP %s, %s", p->binary, p->version, p->sapi);
}

static void judge_control_timeout(const struct app_facts *app, struct diagnoses *d)
{
	diagnoses_note(
		d, DIAGNOSIS_CONTROL_TIMEOUT, DIAGNOSIS_OK, app->config.name, NULL,
		"process_control_timeout is %u s in FPM's configuration; twinit starts "
		"masters with its own, above drain_timeout, so that FPM cuts nobody%s",
		app->php.control_timeout_s,
		app->php.control_timeout_s > 0 ? "" : " (without twinit 0 cuts what is in flight)");
}

static void judge_opcache(const struct app_facts *app, struct diagnoses *d)
{
	const struct php_facts *p = &app->php;

	if (!p->opcache_read)
		diagnoses_note(d, DIAGNOSIS_OPCACHE, DIAGNOSIS_PROBLEM, app->config.name,
		               "mend the opcache settings in php.ini",
		               "PHP does not start with its OPcache settings: %s", p->opcache_why);
	else if (!p->opcache)
		diagnoses_note(d, DIAGNOSIS_OPCACHE, DIAGNOSIS_WARNING, app->config.name,
		               "install and enable OPcache (opcache.enable = 1)",
		               "OPcache is off: each request compiles its scripts");
	else if (p->opcache_memory < OPCACHE_LEAST)
		diagnoses_note(d, DIAGNOSIS_OPCACHE, DIAGNOSIS_WARNING, app->config.name,
		               "opcache.memory_consumption = 128",
		               "OPcache has %u MB, which a framework fills",
		               in_mb(p->opcache_memory));
	else
		diagnoses_note(d, DIAGNOSIS_OPCACHE, DIAGNOSIS_OK, app->config.name, NULL,
		               "OPcache is on, %u MB in each of %u replicas",
		               in_mb(p->opcache_memory), app->config.replicas);
}

static void judge_timestamps(const struct app_facts *app, struct diagnoses *d)
{
	const bool release = app->config.release[0] != '\0';

	if (!app->php.validate_timestamps)
		diagnoses_note(d, DIAGNOSIS_TIMESTAMPS, DIAGNOSIS_OK, app->config.name, NULL,
		               "opcache.validate_timestamps is off: new code comes with a roll");
	else
		diagnoses_note(d, DIAGNOSIS_TIMESTAMPS, DIAGNOSIS_OK, app->config.name,
		               release ? "opcache.validate_timestamps = 0 saves the looks, since a "
		                         "roll brings new code with an empty OPcache"
		                       : NULL,
		               "opcache.validate_timestamps is on: PHP looks at its files again "
		               "and again");
}

static void judge_file_cache(const struct app_facts *app, struct diagnoses *d)
{
	const struct php_facts *p = &app->php;

	if (p->file_cache[0] == '\0')
		diagnoses_note(d, DIAGNOSIS_FILE_CACHE, DIAGNOSIS_OK, app->config.name, NULL,
		               "opcache.file_cache is not set");
	else
		diagnoses_note(
			d, DIAGNOSIS_FILE_CACHE,
			p->validate_timestamps ? DIAGNOSIS_OK : DIAGNOSIS_WARNING, app->config.name,
			p->validate_timestamps
				? NULL
				: "leave opcache.file_cache unset, or validate timestamps",
			"opcache.file_cache = %s outlives rolls and is shared by all replicas%s",
			p->file_cache,
			p->validate_timestamps
				? ""
				: "; without validate_timestamps it may give a new master "
				  "old code of the same path");
}

static void judge_caches(const struct app_facts *app, struct diagnoses *d)
{
	const struct php_facts *p = &app->php;
	const unsigned replicas = app->config.replicas;

	if (p->opcache && replicas > 1 && !p->reset_restricted)
		diagnoses_note(d, DIAGNOSIS_OPCACHE_RESET, DIAGNOSIS_OK, app->config.name,
		               "let a deploy roll (`twinit restart`) instead of calling it, or set "
		               "replicas = 1",
		               "opcache_reset() in a script reaches one of %u replicas", replicas);
	else
		diagnoses_note(d, DIAGNOSIS_OPCACHE_RESET, DIAGNOSIS_OK, app->config.name, NULL,
		               "opcache_reset() %s",
		               p->opcache && replicas > 1 ? "is restricted"
		                                          : "reaches all there is");
	if (p->apcu && replicas > 1)
		diagnoses_note(d, DIAGNOSIS_APCU, DIAGNOSIS_WARNING, app->config.name,
		               "keep in APCu what each replica may have differently, the rest in "
		               "Redis; or set replicas = 1",
		               "APCu is on: %u replicas have an APCu each, and deletes reach one",
		               replicas);
	else
		diagnoses_note(d, DIAGNOSIS_APCU, DIAGNOSIS_OK, app->config.name, NULL, "%s",
		               p->apcu ? "APCu is on, with one replica" : "APCu is not used");
}

/* --- limits --- */

/* What workers would take if each were as large as processes of replicas are now; 0: not known. */
static uint64_t measured(const struct app_facts *app)
{
	const struct room *room = &app->room;

	return room->pids_each > 0 ? room->memory_each / room->pids_each *
	                                     (doctor_workers(app) + app->config.replicas)
	                           : 0;
}

/* If each request took what memory_limit allows; UINT64_MAX where it allows anything. */
static uint64_t allowed(const struct app_facts *app)
{
	uint64_t sum = app->php.opcache ? app->php.opcache_memory * app->config.replicas : 0;

	for (unsigned i = 0; i < app->php.settings.pool_count; i++) {
		if (app->php.pools[i].memory_limit == UINT64_MAX)
			return UINT64_MAX;
		sum += app->php.pools[i].memory_limit * workers_of(app, i);
	}
	return sum;
}

static void judge_memory(const struct app_facts *app, uint64_t limit, struct diagnoses *d)
{
	static const char fix[] = "lower pm.max_children or memory_limit, or give the container "
				  "more memory";
	const unsigned long long workers = doctor_workers(app);
	const char *name = app->config.name;
	unsigned surge;

	if (limit == UINT64_MAX)
		diagnoses_note(d, DIAGNOSIS_MEMORY, DIAGNOSIS_OK, name, NULL,
		               "the container has no memory limit");
	else if (measured(app) > limit)
		diagnoses_note(d, DIAGNOSIS_MEMORY, DIAGNOSIS_PROBLEM, name, fix,
		               "%llu workers as large as they are now take %u MB, the container "
		               "may have %u MB",
		               workers, in_mb(measured(app)), in_mb(limit));
	else if (!room_surge(&app->room, app->config.replicas, surge_of(&app->config), &surge))
		diagnoses_note(
			d, DIAGNOSIS_MEMORY, DIAGNOSIS_PROBLEM, name, fix,
			"%u MB and %llu processes are left, which is no room for a new replica "
			"beside the only one: rolls are refused",
			in_mb(app->room.memory_left), (unsigned long long)app->room.pids_left);
	else if (allowed(app) == UINT64_MAX)
		diagnoses_note(d, DIAGNOSIS_MEMORY, DIAGNOSIS_WARNING, name, "set memory_limit",
		               "memory_limit is off, so that one request can take the container's "
		               "%u MB",
		               in_mb(limit));
	else if (allowed(app) > limit)
		diagnoses_note(
			d, DIAGNOSIS_MEMORY, DIAGNOSIS_WARNING, name, fix,
			"%llu workers with a request of memory_limit each, and OPcache, take "
			"%u MB; the container may have %u MB",
			workers, in_mb(allowed(app)), in_mb(limit));
	else
		diagnoses_note(d, DIAGNOSIS_MEMORY, DIAGNOSIS_OK, name, NULL,
		               "%llu workers take %u MB at most, the container may have %u MB",
		               workers, in_mb(allowed(app)), in_mb(limit));
}

/* What runs already is counted in what is left. */
static void judge_pids(const struct app_facts *app, const struct host_facts *host,
                       struct diagnoses *d)
{
	const unsigned replicas = app->config.replicas;
	const uint64_t all = doctor_workers(app) + replicas;
	const uint64_t more = all * surge_of(&app->config) / replicas;
	const uint64_t running = app->room.pids_each * replicas;
	const uint64_t wanted = (running > all ? 0 : all - running) + more + PIDS_SPARE;
	const uint64_t left = host->pids_left < host->pid_max ? host->pids_left : host->pid_max;

	if (left < wanted)
		diagnoses_note(d, DIAGNOSIS_PIDS, DIAGNOSIS_WARNING, app->config.name,
		               "raise the container's pids limit (--pids-limit) or lower "
		               "pm.max_children",
		               "%llu more processes may be made; all workers and those of a roll "
		               "beside them want %llu",
		               (unsigned long long)left, (unsigned long long)wanted);
	else
		diagnoses_note(d, DIAGNOSIS_PIDS, DIAGNOSIS_OK, app->config.name, NULL,
		               "room for %llu more processes, a roll included",
		               (unsigned long long)wanted);
}

/* --- pools --- */

static void judge_pm(const struct fpm_pool *pool, const char *subject, struct diagnoses *d)
{
	if (pool->pm == PM_STATIC)
		diagnoses_note(d, DIAGNOSIS_PM, DIAGNOSIS_OK, subject, NULL,
		               "pm = static, %u workers", pool->max_children);
	else
		diagnoses_note(d, DIAGNOSIS_PM, DIAGNOSIS_WARNING, subject, "pm = static",
		               "pm = %s: FPM ends workers that look idle, and a request that one "
		               "has just taken may end with it (php-src issue 12626)",
		               pm_name(pool->pm));
}

static void judge_workers(const struct app_config *config, const struct fpm_pool *pool,
                          const char *subject, struct diagnoses *d)
{
	const unsigned children = pool->max_children, replicas = config->replicas;

	if (config->workers == WORKERS_FULL)
		diagnoses_note(d, DIAGNOSIS_WORKERS, DIAGNOSIS_OK, subject, NULL,
		               "workers = full: %u in each of %u replicas", children, replicas);
	else if (children < replicas)
		diagnoses_note(
			d, DIAGNOSIS_WORKERS, DIAGNOSIS_WARNING, subject,
			"raise pm.max_children, or lower replicas",
			"%u workers for %u replicas: each gets one, which is more than asked "
			"for",
			children, replicas);
	else
		diagnoses_note(d, DIAGNOSIS_WORKERS, DIAGNOSIS_OK, subject, NULL,
		               "%u workers divided over %u replicas", children, replicas);
}

static void judge_backlog(const struct fpm_pool *pool, uint64_t somaxconn, const char *subject,
                          struct diagnoses *d)
{
	if (pool->backlog > 0 && somaxconn > 0 && (uint64_t)pool->backlog > somaxconn)
		diagnoses_note(d, DIAGNOSIS_BACKLOG, DIAGNOSIS_WARNING, subject,
		               "raise net.core.somaxconn (docker run --sysctl), or lower "
		               "listen.backlog",
		               "listen.backlog = %d, but net.core.somaxconn = %llu is what counts",
		               pool->backlog, (unsigned long long)somaxconn);
	else
		diagnoses_note(d, DIAGNOSIS_BACKLOG, DIAGNOSIS_OK, subject, NULL,
		               "listen.backlog = %d, net.core.somaxconn = %llu", pool->backlog,
		               (unsigned long long)somaxconn);
}

static void judge_environment(bool cleared, const char *subject, struct diagnoses *d)
{
	if (cleared)
		diagnoses_note(d, DIAGNOSIS_CLEAR_ENV, DIAGNOSIS_OK, subject, NULL,
		               "clear_env = yes: PHP sees no variable but those of env[]");
	else
		diagnoses_note(d, DIAGNOSIS_CLEAR_ENV, DIAGNOSIS_WARNING, subject,
		               "clear_env = yes, and env[NAME] = $NAME for what PHP needs",
		               "clear_env = no: PHP sees the container's whole environment, "
		               "passwords in it too");
}

static void judge_pool(const struct app_facts *app, unsigned index, uint64_t somaxconn,
                       struct diagnoses *d)
{
	const struct fpm_pool *pool = &app->php.settings.pools[index];
	char subject[DIAGNOSIS_SUBJECT_SIZE];

	snprintf(subject, sizeof(subject), "%s: pool %s", app->config.name, pool->name);
	judge_pm(pool, subject, d);
	judge_workers(&app->config, pool, subject, d);
	judge_backlog(pool, somaxconn, subject, d);
	judge_environment(app->php.pools[index].clear_env, subject, d);
}

void doctor_judge_php(const struct app_facts *app, const struct host_facts *host,
                      struct diagnoses *diagnoses)
{
	const struct php_facts *p = &app->php;

	if (!p->ok) {
		diagnoses_note(diagnoses, DIAGNOSIS_FPM, DIAGNOSIS_PROBLEM, app->config.name,
		               "mend it; what follows from FPM's settings is not checked", "%s",
		               p->why);
		return;
	}
	diagnoses_note(diagnoses, DIAGNOSIS_FPM, DIAGNOSIS_OK, app->config.name, NULL,
	               "FPM's configuration is read: %u pool%s", p->settings.pool_count,
	               p->settings.pool_count == 1 ? "" : "s");
	judge_version(app, diagnoses);
	judge_control_timeout(app, diagnoses);
	judge_opcache(app, diagnoses);
	judge_timestamps(app, diagnoses);
	judge_file_cache(app, diagnoses);
	judge_caches(app, diagnoses);
	judge_memory(app, host->memory_limit, diagnoses);
	judge_pids(app, host, diagnoses);
	for (unsigned i = 0; i < p->settings.pool_count; i++)
		judge_pool(app, i, host->somaxconn, diagnoses);
}
