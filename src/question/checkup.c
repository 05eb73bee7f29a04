#include "question/checkup.h"

#include <dirent.h>
#include <netdb.h>
#include <nss.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "confine/secrets.h"
#include "doctor/doctor.h"
#include "process/helper.h"
#include "question/program.h"
#include "question/reading.h"
#include "question/scoreboard.h"
#include "release/release.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* A request's head that comes over a network takes less than three looks. */
enum { LOOKS = 3, LOOKS_APART_MS = 150 };

/* --- the release --- */

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool empty = true;

	if (!dir)
		return false; /* may be entered and not listed, which is enough for PHP */
	while (empty && (entry = readdir(dir)))
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	(void)closedir(dir);
	return empty;
}

void checkup_release_run(const void *query, int answer_fd)
{
	const struct app_config *app = ((const struct checkup_release_query *)query)->app;
	struct release_facts facts = { .known = true };
	struct release release;
	char root[2 * CONFIG_PATH_SIZE];

	facts.ok = release_resolve(app->release, &release, facts.why, sizeof(facts.why)) >= 0;
	if (facts.ok) {
		config_site_root(app, root, sizeof(root));
		text_copy_cut(facts.path, sizeof(facts.path), release.path);
		facts.empty = is_empty(release.path);
		facts.docroot = is_directory(root);
	}
	helper_answer(answer_fd, &facts, sizeof(facts));
}

/* --- PHP --- */

/* What the PHP of @pool has for @setting, with OPcache as it is: @info. */
static const char *setting(const struct reading *r, const char *info, const char *pool,
                           const char *name)
{
	static char value[CONFIG_PATH_SIZE];

	if (fpm_dump_php_setting(&r->dump, info, pool, name, value, sizeof(value)) < 0)
		value[0] = '\0';
	return value;
}

static bool is_on(const char *value)
{
	return strtol(value, NULL, 10) != 0 || strcasecmp(value, "on") == 0 ||
	       strcasecmp(value, "yes") == 0 || strcasecmp(value, "true") == 0;
}

static void read_version(const char *info, struct php_facts *facts)
{
	char *end;

	(void)fpm_info_value(info, "PHP Version", facts->version, sizeof(facts->version));
	(void)fpm_info_value(info, "Server API", facts->sapi, sizeof(facts->sapi));
	facts->version_id = (unsigned)strtoul(facts->version, &end, 10) * 100;
	if (*end == '.')
		facts->version_id += (unsigned)strtoul(end + 1, NULL, 10);
}

static void read_caches(const struct reading *r, const char *info, struct php_facts *facts)
{
	const char *pool = facts->settings.pools[0].name;
	char megabytes[32];

	facts->opcache = is_on(setting(r, info, pool, "opcache.enable"));
	facts->validate_timestamps = is_on(setting(r, info, pool, "opcache.validate_timestamps"));
	facts->reset_restricted =
		setting(r, info, pool, "opcache.restrict_api")[0] != '\0' ||
		strstr(setting(r, info, pool, "disable_functions"), "opcache_reset") != NULL;
	snprintf(megabytes, sizeof(megabytes), "%.20sM",
	         setting(r, info, pool, "opcache.memory_consumption"));
	facts->opcache_memory = facts->opcache ? doctor_bytes(megabytes) : 0;
	text_copy_cut(facts->file_cache, sizeof(facts->file_cache),
	              setting(r, info, pool, "opcache.file_cache"));
	facts->apcu = is_on(setting(r, info, pool, "apc.enabled"));
}

/* Preloading would run the site's code. */
static void read_with_opcache(const struct reading *r, struct php_facts *facts)
{
	const char *const argv[] = { r->answer->php_fpm, "-d", "opcache.preload=", "-i", NULL };
	struct text why = TEXT(facts->opcache_why);
	_cleanup_free_ char *info = NULL;
	int status = program_run(argv, -1, &info);

	facts->opcache_read = status == 0;
	if (status == 0)
		read_caches(r, info, facts);
	else if (status > 0)
		fpm_info_telling_line(&why, info);
}

static void read_pool(const struct reading *r, const char *pool, struct pool_facts *facts)
{
	const char *said = fpm_dump_get(&r->dump, pool, "clear_env");

	facts->clear_env = *said == '\0' || is_on(said);
	said = setting(r, r->info, pool, "memory_limit");
	facts->memory_limit = *said == '\0' ? UINT64_MAX : doctor_bytes(said);
}

static void read_facts(const struct reading *r, struct php_facts *facts)
{
	facts->settings = r->answer->settings;
	text_copy_cut(facts->binary, sizeof(facts->binary), r->answer->php_fpm);
	facts->control_timeout_s = (unsigned)strtoul(
		fpm_dump_get(&r->dump, "global", "process_control_timeout"), NULL, 10);
	read_version(r->info, facts);
	for (unsigned i = 0; i < facts->settings.pool_count; i++)
		read_pool(r, facts->settings.pools[i].name, &facts->pools[i]);
	read_with_opcache(r, facts);
}

void checkup_php_run(const void *query, int answer_fd)
{
	static struct settings_answer answer;
	static struct php_facts facts;
	const struct checkup_php_query *q = query;
	const struct settings_query settings = { .app = q->app, .sources = q->sources };
	struct reading r = { .query = &settings, .answer = &answer, .why = TEXT(answer.why) };

	/* Or a static program would load the image's libc for the image's nsswitch.conf. */
	(void)__nss_configure_lookup("hosts", "files dns");
	release_none(&r.release);
	answer.app = *q->app;
	facts.ok = secrets_load(q->secrets, answer.why, sizeof(answer.why)) >= 0 &&
	           reading_ask_fpm(&r) >= 0 && logs_check(&r) >= 0 && privileges_decide(&r) >= 0 &&
	           replica_config_write_sources(&r) >= 0;
	text_copy_cut(facts.why, sizeof(facts.why), answer.why);
	if (facts.ok)
		read_facts(&r, &facts);
	helper_answer(answer_fd, &facts, sizeof(facts));
}

/* --- what web servers do --- */

static void add_page(const struct checkup_traffic_query *q, const struct drain_socket *socket,
                     struct traffic_facts *facts)
{
	struct fpm_status status;
	const char *body;
	size_t size;

	if (scoreboard_page(q->private_fd, socket->name, socket->path, clock_ms() + DRAIN_ASK_MS,
	                    &body, &size) < 0 ||
	    fpm_status_parse(body, size, &status) < 0)
		return;
	facts->known = true;
	facts->workers += status.processes;
	facts->kept += status.reading_headers;
	fpm_scripts_add(&facts->scripts, body, size, q->below);
}

static struct traffic_facts look(const struct checkup_traffic_query *q)
{
	struct traffic_facts facts = { 0 };

	for (unsigned i = 0; i < q->socket_count; i++)
		add_page(q, &q->sockets[i], &facts);
	return facts;
}

void checkup_traffic_run(const void *query, int answer_fd)
{
	const struct timespec apart = { .tv_nsec = LOOKS_APART_MS * 1000000L };
	struct traffic_facts facts = look(query);

	for (int i = 1; i < LOOKS && facts.kept > 0; i++) {
		(void)nanosleep(&apart, NULL);
		struct traffic_facts again = look(query);

		if (again.kept < facts.kept)
			facts.kept = again.kept;
	}
	helper_answer(answer_fd, &facts, sizeof(facts));
}
