/* The rules of `twinit check`: one change to a good site, and what it is diagnosed as. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "confine/caps.h"
#include "doctor/doctor.h"
#include "util/text.h"

#define MB (1024ull * 1024)
#define GB (1024 * MB)

static struct host_facts host;
static struct twinit_facts twinit;
static struct app_facts app;
static struct diagnoses diagnoses;

/* A site of which nothing but good can be said. */
static void make_good(void)
{
	memset(&twinit, 0, sizeof(twinit));
	memset(&app, 0, sizeof(app));
	memset(&diagnoses, 0, sizeof(diagnoses));
	host = (struct host_facts){
		.kernel = "6.1.0",
		.kernel_major = 6,
		.kernel_minor = 1,
		.caps = CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_KILL),
		.somaxconn = 4096,
		.pid_max = 32768,
		.pids_left = UINT64_MAX,
		.memory_limit = UINT64_MAX,
		.open_files = 65536,
	};
	text_copy_cut(app.config.name, sizeof(app.config.name), "www");
	text_copy_cut(app.config.release, sizeof(app.config.release), "/srv/app/current");
	text_copy_cut(app.config.docroot, sizeof(app.config.docroot), "public");
	app.config.replicas = 2;
	app.config.surge = SURGE_DEFAULT;
	app.release = (struct release_facts){ .known = true, .ok = true, .docroot = true };
	app.isolation = (struct isolation_facts){ .known = true, .ok = true, .pin = PIN_MOUNT };
	app.php = (struct php_facts){
		.ok = true,
		.version = "8.2.1",
		.sapi = "FPM/FastCGI",
		.version_id = 802,
		.opcache = true,
		.opcache_read = true,
		.opcache_memory = 128 * MB,
		.settings.pool_count = 1,
		.settings.pools[0] = { .name = "web", .max_children = 8, .backlog = 511 },
		.pools[0] = { .clear_env = true, .memory_limit = 128 * MB },
	};
	app.room = room_unlimited();
	app.sessions.known = true;
}

static void judge(void)
{
	doctor_judge_host(&host, &twinit, 8000, &diagnoses);
	doctor_judge_app(&app, &host, &diagnoses);
}

/* --- the table --- */

/* clang-format off */
static void nothing(void) { }
static void kernel_4(void) { host.kernel_major = 4; }
static void kernel_5_8(void) { host.kernel_major = 5; host.kernel_minor = 8; }
static void kernel_5_9(void) { host.kernel_major = 5; host.kernel_minor = 9; }
static void no_steering(void) { host.steering = -ENOSYS; }
static void no_loopback(void) { host.steering = -EADDRNOTAVAIL; }
static void other_user(void) { host.twinit_known = true; host.twinit_uid = 1000; }
static void same_user(void) { host.twinit_known = true; }
static void unprivileged(void) { host.uid = 1000; host.caps = 0; }
static void admin(void) { host.caps |= CAP_BIT(CAP_SYS_ADMIN); }
static void no_setuid(void) { host.caps &= ~CAP_BIT(CAP_SETUID); }
static void no_capability(void) { host.caps = 0; }
static void seccomp(void) { host.seccomp = true; }
static void apparmor(void) { text_copy_cut(host.apparmor, 128, "docker-default"); }
static void few_files(void) { host.open_files = 1024; }
static void runs(void) { twinit.running = twinit.healthy = true; }
static void runs_elsewhere(void) { runs(); twinit.elsewhere = true; }
static void ill_elsewhere(void) { twinit.running = twinit.elsewhere = true; }
static void degraded_elsewhere(void) { runs_elsewhere(); twinit.degraded = true; }
static void degraded(void) { runs(); twinit.degraded = true; }
static void unhealthy(void) { twinit.running = true; }
static void refuses(void) { text_copy_cut(twinit.why, sizeof(twinit.why), "one runs elsewhere"); }
static void in_image(void) { app.config.release[0] = '\0'; app.isolation.pin = PIN_NONE; }
static void no_link(void) { app.release.ok = false; }
static void slow_link(void) { app.release.known = false; }
static void empty(void) { app.release.empty = true; }
static void no_docroot(void) { app.release.docroot = false; }
static void through(void) { app.traffic.scripts = (struct fpm_scripts){ 3, 3, "" }; }
static void around(void) { app.traffic.scripts = (struct fpm_scripts){ 3, 1, "/srv/app/releases/1/i.php" }; }
static void user_namespace(void) { app.isolation.pin = PIN_USERNS; }
static void by_path(void) { app.isolation.pin = PIN_PATH; }
static void not_pinned(void) { app.isolation.pin = PIN_NONE; }
static void cannot_pin(void) { app.isolation.ok = false; }
static void pin_unknown(void) { app.isolation.known = false; }
static void no_fpm(void) { app.php.ok = false; app.sessions.known = false; }
static void cli(void) { text_copy_cut(app.php.sapi, sizeof(app.php.sapi), "Command Line"); }
static void php_7(void) { app.php.version_id = 704; }
static void timeout(void) { app.php.control_timeout_s = 10; }
static void opcache_off(void) { app.php.opcache = false; }
static void opcache_broken(void) { app.php.opcache_read = app.php.opcache = false; }
static void opcache_small(void) { app.php.opcache_memory = 8 * MB; }
static void stamps(void) { app.php.validate_timestamps = true; }
static void stamps_in_image(void) { stamps(); in_image(); }
static void file_cache(void) { text_copy_cut(app.php.file_cache, 16, "/var/cache"); }
static void file_cache_stamps(void) { file_cache(); stamps(); }
static void restricted(void) { app.php.reset_restricted = true; }
static void apcu(void) { app.php.apcu = true; }
static void apcu_alone(void) { app.php.apcu = true; app.config.replicas = 1; }
static void memory(uint64_t limit) { host.memory_limit = app.room.memory_left = limit; }
static void memory_enough(void) { memory(4 * GB); }
static void memory_tight(void) { memory(GB); }
static void memory_endless(void) { memory(GB); app.php.pools[0].memory_limit = UINT64_MAX; }
static void memory_measured(void)
{
	memory(GB); /* 10 processes of 120 MB */
	app.room.memory_each = 600 * MB;
	app.room.pids_each = 5;
}
static void memory_no_roll(void)
{
	memory_enough();
	app.config.replicas = 1;
	app.room.memory_left = 10 * MB;
	app.room.memory_each = 50 * MB;
	app.room.pids_each = 9;
}
static void no_opcache_memory(void) { memory_enough(); app.php.opcache = false; }
static void few_pids(void) { host.pids_left = 30; }
static void enough_pids(void) { host.pids_left = 40; }
static void few_pids_running(void) { host.pids_left = 30; app.room.pids_each = 6; }
static void small_pid_max(void) { host.pid_max = 25; }
static void surge_0(void) { host.pids_left = 30; app.config.surge = 0; }
static void dynamic(void) { app.php.settings.pools[0].pm = PM_DYNAMIC; }
static void ondemand(void) { app.php.settings.pools[0].pm = PM_ONDEMAND; }
static void one_worker(void) { app.php.settings.pools[0].max_children = 1; }
static void full(void) { one_worker(); app.config.workers = WORKERS_FULL; }
static void long_backlog(void) { app.php.settings.pools[0].backlog = 8192; }
static void any_backlog(void) { app.php.settings.pools[0].backlog = -1; }
static void somaxconn_unknown(void) { host.somaxconn = 0; }
static void environment(void) { app.php.pools[0].clear_env = false; }
static void kept(void) { app.traffic = (struct traffic_facts){ .known = true, .workers = 8, .kept = 1 }; }
static void not_kept(void) { app.traffic = (struct traffic_facts){ .known = true, .workers = 8 }; }
static void stores_silent(void) { app.sessions.known = false; }
static void stores_required(void) { app.sessions.required = true; }
static void stores_are_there(void) { app.sessions.required = app.sessions.uses_redis = true; }
static void finding(enum finding_result result)
{
	findings_note(&app.sessions.findings, FINDING_CONNECT, result, "redis:6379", "fix", "seen");
}
static void store_ok(void) { finding(FINDING_OK); }
static void store_unknown(void) { finding(FINDING_UNKNOWN); }
static void store_warning(void) { finding(FINDING_WARNING); }
static void store_failed(void) { finding(FINDING_FAILED); }

static const struct row {
	const char *says;
	void (*change)(void);
	enum diagnosis_id id;
	enum diagnosis_result result;
	const char *part; /* of what was seen */
} rows[] = {
	{ "a good site", nothing, DIAGNOSIS_KERNEL, DIAGNOSIS_OK, "Linux 6.1.0" },
	{ "Linux 4", kernel_4, DIAGNOSIS_KERNEL, DIAGNOSIS_WARNING, "older than 5.9" },
	{ "Linux 5.8", kernel_5_8, DIAGNOSIS_KERNEL, DIAGNOSIS_WARNING, "older than 5.9" },
	{ "Linux 5.9", kernel_5_9, DIAGNOSIS_KERNEL, DIAGNOSIS_OK, "" },
	{ "steers", nothing, DIAGNOSIS_STEERING, DIAGNOSIS_OK, "steers new" },
	{ "does not steer", no_steering, DIAGNOSIS_STEERING, DIAGNOSIS_WARNING, "does not steer" },
	{ "no loopback", no_loopback, DIAGNOSIS_STEERING, DIAGNOSIS_WARNING, "cannot be tried" },
	{ "another user", other_user, DIAGNOSIS_USER, DIAGNOSIS_WARNING, "twinit as user 1000" },
	{ "its user", same_user, DIAGNOSIS_USER, DIAGNOSIS_OK, "user 0, PHP runs as the pools'" },
	{ "not root", unprivileged, DIAGNOSIS_USER, DIAGNOSIS_OK, "user 1000, as whom PHP" },
	{ "root", nothing, DIAGNOSIS_CAPABILITIES, DIAGNOSIS_OK, "without SYS_ADMIN" },
	{ "SYS_ADMIN", admin, DIAGNOSIS_CAPABILITIES, DIAGNOSIS_OK, "with SYS_ADMIN" },
	{ "not root", unprivileged, DIAGNOSIS_CAPABILITIES, DIAGNOSIS_OK, "none is needed" },
	{ "no SETUID", no_setuid, DIAGNOSIS_CAPABILITIES, DIAGNOSIS_PROBLEM, "without SETUID cannot" },
	{ "bare root", no_capability, DIAGNOSIS_CAPABILITIES, DIAGNOSIS_PROBLEM, "SETUID SETGID KILL" },
	{ "no filter", nothing, DIAGNOSIS_SECCOMP, DIAGNOSIS_OK, "has no syscall filter" },
	{ "a filter", seccomp, DIAGNOSIS_SECCOMP, DIAGNOSIS_OK, "has a syscall filter" },
	{ "no profile", nothing, DIAGNOSIS_APPARMOR, DIAGNOSIS_OK, "no profile" },
	{ "a profile", apparmor, DIAGNOSIS_APPARMOR, DIAGNOSIS_OK, "profile docker-default" },
	{ "files", nothing, DIAGNOSIS_FILES, DIAGNOSIS_OK, "65536" },
	{ "few files", few_files, DIAGNOSIS_FILES, DIAGNOSIS_WARNING, "1024" },
	{ "grace", nothing, DIAGNOSIS_STOP_GRACE, DIAGNOSIS_OK, "13 s or more" },
	{ "none runs", nothing, DIAGNOSIS_TWINIT, DIAGNOSIS_OK, "none runs" },
	{ "one runs", runs, DIAGNOSIS_TWINIT, DIAGNOSIS_OK, "is healthy" },
	{ "one runs in another namespace", runs_elsewhere, DIAGNOSIS_TWINIT, DIAGNOSIS_WARNING, "another PID namespace" },
	{ "one is degraded there", degraded_elsewhere, DIAGNOSIS_TWINIT, DIAGNOSIS_WARNING, "is degraded, and runs in another" },
	{ "one is unhealthy there", ill_elsewhere, DIAGNOSIS_TWINIT, DIAGNOSIS_PROBLEM, "is not healthy, and runs in another" },
	{ "one refuses", refuses, DIAGNOSIS_TWINIT, DIAGNOSIS_OK, "one runs elsewhere" },
	{ "degraded", degraded, DIAGNOSIS_TWINIT, DIAGNOSIS_WARNING, "is degraded" },
	{ "unhealthy", unhealthy, DIAGNOSIS_TWINIT, DIAGNOSIS_PROBLEM, "not healthy" },
	{ "release", nothing, DIAGNOSIS_RELEASE, DIAGNOSIS_OK, "/srv/app/current leads to" },
	{ "no release", in_image, DIAGNOSIS_RELEASE, DIAGNOSIS_OK, "is not set" },
	{ "no link", no_link, DIAGNOSIS_RELEASE, DIAGNOSIS_PROBLEM, "" },
	{ "a silent disk", slow_link, DIAGNOSIS_RELEASE, DIAGNOSIS_PROBLEM, "in time" },
	{ "empty", empty, DIAGNOSIS_RELEASE, DIAGNOSIS_PROBLEM, "is empty" },
	{ "docroot", nothing, DIAGNOSIS_DOCROOT, DIAGNOSIS_OK, "/srv/app/current/public" },
	{ "through the link", through, DIAGNOSIS_DOCROOT, DIAGNOSIS_OK, "the last 3 scripts" },
	{ "around the link", around, DIAGNOSIS_DOCROOT, DIAGNOSIS_WARNING, "2 of the last 3" },
	{ "no docroot", no_docroot, DIAGNOSIS_DOCROOT, DIAGNOSIS_PROBLEM, "no directory" },
	{ "a mount namespace", nothing, DIAGNOSIS_ISOLATION, DIAGNOSIS_OK, "mount namespace" },
	{ "a user namespace", user_namespace, DIAGNOSIS_ISOLATION, DIAGNOSIS_OK, "user namespace" },
	{ "by path", by_path, DIAGNOSIS_ISOLATION, DIAGNOSIS_OK, "by path" },
	{ "not pinned", not_pinned, DIAGNOSIS_ISOLATION, DIAGNOSIS_WARNING, "isolation = none" },
	{ "nothing to pin", in_image, DIAGNOSIS_ISOLATION, DIAGNOSIS_OK, "no release to pin" },
	{ "cannot pin", cannot_pin, DIAGNOSIS_ISOLATION, DIAGNOSIS_PROBLEM, "" },
	{ "not tried", pin_unknown, DIAGNOSIS_ISOLATION, DIAGNOSIS_PROBLEM, "could not be tried" },
	{ "FPM", nothing, DIAGNOSIS_FPM, DIAGNOSIS_OK, "1 pool" },
	{ "no FPM", no_fpm, DIAGNOSIS_FPM, DIAGNOSIS_PROBLEM, "" },
	{ "PHP", nothing, DIAGNOSIS_PHP, DIAGNOSIS_OK, "PHP 8.2.1" },
	{ "PHP's CLI", cli, DIAGNOSIS_PHP, DIAGNOSIS_PROBLEM, "not FPM" },
	{ "PHP 7", php_7, DIAGNOSIS_PHP, DIAGNOSIS_PROBLEM, "PHP 8.2.1" },
	{ "control timeout 0", nothing, DIAGNOSIS_CONTROL_TIMEOUT, DIAGNOSIS_OK, "0 cuts" },
	{ "control timeout", timeout, DIAGNOSIS_CONTROL_TIMEOUT, DIAGNOSIS_OK, "is 10 s" },
	{ "OPcache", nothing, DIAGNOSIS_OPCACHE, DIAGNOSIS_OK, "128 MB in each of 2" },
	{ "OPcache off", opcache_off, DIAGNOSIS_OPCACHE, DIAGNOSIS_WARNING, "is off" },
	{ "OPcache broken", opcache_broken, DIAGNOSIS_OPCACHE, DIAGNOSIS_PROBLEM, "not start" },
	{ "OPcache small", opcache_small, DIAGNOSIS_OPCACHE, DIAGNOSIS_WARNING, "has 8 MB" },
	{ "no time stamps", nothing, DIAGNOSIS_TIMESTAMPS, DIAGNOSIS_OK, "is off" },
	{ "time stamps", stamps, DIAGNOSIS_TIMESTAMPS, DIAGNOSIS_OK, "is on" },
	{ "in the image", stamps_in_image, DIAGNOSIS_TIMESTAMPS, DIAGNOSIS_OK, "is on" },
	{ "no file cache", nothing, DIAGNOSIS_FILE_CACHE, DIAGNOSIS_OK, "not set" },
	{ "file cache", file_cache, DIAGNOSIS_FILE_CACHE, DIAGNOSIS_WARNING, "old code" },
	{ "checked", file_cache_stamps, DIAGNOSIS_FILE_CACHE, DIAGNOSIS_OK, "/var/cache" },
	{ "reset", nothing, DIAGNOSIS_OPCACHE_RESET, DIAGNOSIS_OK, "reaches one of 2" },
	{ "no reset", restricted, DIAGNOSIS_OPCACHE_RESET, DIAGNOSIS_OK, "is restricted" },
	{ "nothing to reset", opcache_off, DIAGNOSIS_OPCACHE_RESET, DIAGNOSIS_OK, "all there is" },
	{ "no APCu", nothing, DIAGNOSIS_APCU, DIAGNOSIS_OK, "not used" },
	{ "APCu", apcu, DIAGNOSIS_APCU, DIAGNOSIS_WARNING, "2 replicas have" },
	{ "APCu alone", apcu_alone, DIAGNOSIS_APCU, DIAGNOSIS_OK, "one replica" },
	{ "no limit", nothing, DIAGNOSIS_MEMORY, DIAGNOSIS_OK, "no memory limit" },
	{ "4 GB", memory_enough, DIAGNOSIS_MEMORY, DIAGNOSIS_OK, "1280 MB at most" },
	{ "4 GB", no_opcache_memory, DIAGNOSIS_MEMORY, DIAGNOSIS_OK, "1024 MB at most" },
	{ "1 GB", memory_tight, DIAGNOSIS_MEMORY, DIAGNOSIS_WARNING, "take 1280 MB; the container" },
	{ "no memory_limit", memory_endless, DIAGNOSIS_MEMORY, DIAGNOSIS_WARNING, "is off" },
	{ "large workers", memory_measured, DIAGNOSIS_MEMORY, DIAGNOSIS_PROBLEM, "take 1200 MB" },
	{ "no room", memory_no_roll, DIAGNOSIS_MEMORY, DIAGNOSIS_PROBLEM, "rolls are refused" },
	{ "pids", nothing, DIAGNOSIS_PIDS, DIAGNOSIS_OK, "40 more" },
	{ "enough pids", enough_pids, DIAGNOSIS_PIDS, DIAGNOSIS_OK, "40 more" },
	{ "few pids", few_pids, DIAGNOSIS_PIDS, DIAGNOSIS_WARNING, "want 40" },
	{ "they run", few_pids_running, DIAGNOSIS_PIDS, DIAGNOSIS_OK, "30 more" },
	{ "no surge", surge_0, DIAGNOSIS_PIDS, DIAGNOSIS_OK, "30 more" },
	{ "pid_max", small_pid_max, DIAGNOSIS_PIDS, DIAGNOSIS_WARNING, "25 more processes may" },
	{ "static", nothing, DIAGNOSIS_PM, DIAGNOSIS_OK, "static, 8" },
	{ "dynamic", dynamic, DIAGNOSIS_PM, DIAGNOSIS_WARNING, "pm = dynamic" },
	{ "ondemand", ondemand, DIAGNOSIS_PM, DIAGNOSIS_WARNING, "pm = ondemand" },
	{ "workers", nothing, DIAGNOSIS_WORKERS, DIAGNOSIS_OK, "8 workers divided over 2" },
	{ "one worker", one_worker, DIAGNOSIS_WORKERS, DIAGNOSIS_WARNING, "1 workers for 2" },
	{ "full", full, DIAGNOSIS_WORKERS, DIAGNOSIS_OK, "1 in each of 2" },
	{ "backlog", nothing, DIAGNOSIS_BACKLOG, DIAGNOSIS_OK, "511" },
	{ "a long backlog", long_backlog, DIAGNOSIS_BACKLOG, DIAGNOSIS_WARNING, "8192" },
	{ "any backlog", any_backlog, DIAGNOSIS_BACKLOG, DIAGNOSIS_OK, "-1" },
	{ "no somaxconn", somaxconn_unknown, DIAGNOSIS_BACKLOG, DIAGNOSIS_OK, "511" },
	{ "cleared", nothing, DIAGNOSIS_CLEAR_ENV, DIAGNOSIS_OK, "clear_env = yes" },
	{ "not cleared", environment, DIAGNOSIS_CLEAR_ENV, DIAGNOSIS_WARNING, "clear_env = no" },
	{ "not seen", nothing, DIAGNOSIS_KEEP_CONN, DIAGNOSIS_OK, "while twinit runs" },
	{ "not kept", not_kept, DIAGNOSIS_KEEP_CONN, DIAGNOSIS_OK, "none of 8 workers" },
	{ "kept", kept, DIAGNOSIS_KEEP_CONN, DIAGNOSIS_WARNING, "1 of 8 workers" },
	{ "silent stores", stores_silent, DIAGNOSIS_SESSIONS, DIAGNOSIS_PROBLEM, "in time" },
	{ "no Redis", stores_required, DIAGNOSIS_SESSIONS, DIAGNOSIS_PROBLEM, "verify = required" },
	{ "well", store_ok, DIAGNOSIS_SESSIONS, DIAGNOSIS_OK, "1 question about session stores was" },
	{ "may not look", store_unknown, DIAGNOSIS_SESSIONS, DIAGNOSIS_OK, "connect: seen" },
	{ "doubtful", store_warning, DIAGNOSIS_SESSIONS, DIAGNOSIS_WARNING, "connect: seen" },
	{ "refused", store_failed, DIAGNOSIS_SESSIONS, DIAGNOSIS_PROBLEM, "connect: seen" },
};
/* clang-format on */

static const struct diagnosis *find(enum diagnosis_id id)
{
	for (unsigned i = 0; i < diagnoses.count; i++)
		if (diagnoses.list[i].id == id)
			return &diagnoses.list[i];
	return NULL;
}

static void check_row(const struct row *row)
{
	make_good();
	row->change();
	judge();
	const struct diagnosis *d = find(row->id);

	if (!d || d->result != row->result || !strstr(d->seen, row->part))
		fail_msg("%s: expected %s '%s', seen %s '%s'", row->says,
		         diagnosis_result_name(row->result), row->part,
		         d ? diagnosis_result_name(d->result) : "nothing", d ? d->seen : "");
	if (d->result != DIAGNOSIS_OK && d->fix[0] == '\0' && row->change != cannot_pin)
		fail_msg("%s: nothing says what to change", row->says);
}

static void test_each_fault_is_named_and_says_what_to_change(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&rows[i]);
}

static void test_a_fault_is_the_only_one_that_is_named(void **state)
{
	(void)state;

	make_good();
	judge();
	for (unsigned i = 0; i < diagnoses.count; i++)
		if (diagnoses.list[i].result != DIAGNOSIS_OK)
			fail_msg("a good site: %s", diagnoses.list[i].seen);
	make_good();
	dynamic();
	judge();
	assert_int_equal(diagnoses.results[DIAGNOSIS_WARNING], 1);
	assert_int_equal(diagnoses.results[DIAGNOSIS_PROBLEM], 0);
}

static void test_without_fpm_nothing_is_said_of_its_settings(void **state)
{
	(void)state;

	make_good();
	no_fpm();
	judge();
	assert_null(find(DIAGNOSIS_PM));
	assert_null(find(DIAGNOSIS_SESSIONS));
	assert_int_equal(diagnoses.results[DIAGNOSIS_PROBLEM], 1);
}

static void test_a_redis_that_is_required_and_there_is_well(void **state)
{
	(void)state;

	make_good();
	stores_are_there();
	judge();
	assert_null(find(DIAGNOSIS_SESSIONS));
}

static void test_what_is_in_the_image_needs_no_docroot(void **state)
{
	(void)state;

	make_good();
	in_image();
	judge();
	assert_null(find(DIAGNOSIS_DOCROOT));
}

static void test_the_configuration_is_named(void **state)
{
	(void)state;

	make_good();
	doctor_judge_config("/etc/twinit.conf", &diagnoses);
	assert_int_equal(find(DIAGNOSIS_CONFIG)->result, DIAGNOSIS_OK);
	assert_non_null(strstr(find(DIAGNOSIS_CONFIG)->seen, "/etc/twinit.conf and"));
	make_good();
	doctor_judge_config("", &diagnoses);
	assert_non_null(strstr(find(DIAGNOSIS_CONFIG)->seen, "defaults, and"));
	make_good();
	doctor_note_ignored("ignoring TWINIT_X", &diagnoses);
	assert_int_equal(find(DIAGNOSIS_CONFIG)->result, DIAGNOSIS_WARNING);
}

/* --- numbers --- */

static void test_sizes_are_read_as_php_writes_them(void **state)
{
	(void)state;

	assert_int_equal(doctor_bytes("128M"), 128 * MB);
	assert_int_equal(doctor_bytes("1g"), GB);
	assert_int_equal(doctor_bytes("2K"), 2048);
	assert_int_equal(doctor_bytes("7"), 7);
	assert_int_equal(doctor_bytes(""), 0);
	assert_true(doctor_bytes("-1") == UINT64_MAX);
}

static void test_workers_are_those_of_all_replicas(void **state)
{
	(void)state;

	make_good();
	assert_int_equal(doctor_workers(&app), 8);
	app.php.settings.process_max = 5;
	assert_int_equal(doctor_workers(&app), 5);
	app.config.workers = WORKERS_FULL;
	assert_int_equal(doctor_workers(&app), 10);
	app.php.settings.process_max = 0;
	assert_int_equal(doctor_workers(&app), 16);
}

/* --- the list --- */

static void test_what_does_not_fit_is_counted(void **state)
{
	(void)state;

	memset(&diagnoses, 0, sizeof(diagnoses));
	for (unsigned i = 0; i < DIAGNOSES_MAX + 3; i++)
		diagnoses_note(&diagnoses, DIAGNOSIS_PM, DIAGNOSIS_PROBLEM, "", NULL, "%u", i);
	assert_int_equal(diagnoses.count, DIAGNOSES_MAX);
	assert_int_equal(diagnoses.left_off, 3);
	assert_int_equal(diagnoses.results[DIAGNOSIS_PROBLEM], DIAGNOSES_MAX + 3);
}

static void test_every_id_and_result_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < DIAGNOSIS_ID_COUNT; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(diagnosis_name((enum diagnosis_id)i),
			                        diagnosis_name((enum diagnosis_id)k));
	assert_string_equal(diagnosis_result_name(DIAGNOSIS_OK), "ok");
	assert_string_equal(diagnosis_result_name(DIAGNOSIS_WARNING), "warning");
	assert_string_equal(diagnosis_result_name(DIAGNOSIS_PROBLEM), "problem");
}

static void test_no_control_character_reaches_a_terminal(void **state)
{
	(void)state;

	memset(&diagnoses, 0, sizeof(diagnoses));
	diagnoses_note(&diagnoses, DIAGNOSIS_FPM, DIAGNOSIS_OK, "a\033b", "c\nd", "e\033[31mf");
	assert_string_equal(diagnoses.list[0].subject, "a?b");
	assert_string_equal(diagnoses.list[0].seen, "e?[31mf");
	assert_string_equal(diagnoses.list[0].fix, "c?d");
}

/* --- the manual --- */

/* "| `kernel` | ..." */
static bool is_row(const char *line, char *id, size_t size)
{
	size_t length = strcspn(line + 3, "`");

	if (strncmp(line, "| `", 3) != 0 || length >= size)
		return false;
	memcpy(id, line + 3, length);
	id[length] = '\0';
	return true;
}

static bool is_id(const char *name)
{
	for (int i = 0; i < DIAGNOSIS_ID_COUNT; i++)
		if (strcmp(diagnosis_name((enum diagnosis_id)i), name) == 0)
			return true;
	return false;
}

static void test_the_manual_has_each_id_once_and_no_other(void **state)
{
	FILE *manual = fopen("doc/check.md", "re");
	char line[1024], id[64];
	int count = 0;

	(void)state;
	assert_non_null(manual);
	while (fgets(line, sizeof(line), manual)) {
		if (!is_row(line, id, sizeof(id)))
			continue;
		if (!is_id(id))
			fail_msg("doc/check.md has '%s', which no finding is called", id);
		/* In the order of the output: so none is there twice or missing. */
		if (count < DIAGNOSIS_ID_COUNT)
			assert_string_equal(id, diagnosis_name((enum diagnosis_id)count));
		count++;
	}
	(void)fclose(manual);
	assert_int_equal(count, DIAGNOSIS_ID_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_fault_is_named_and_says_what_to_change),
		cmocka_unit_test(test_a_fault_is_the_only_one_that_is_named),
		cmocka_unit_test(test_without_fpm_nothing_is_said_of_its_settings),
		cmocka_unit_test(test_a_redis_that_is_required_and_there_is_well),
		cmocka_unit_test(test_what_is_in_the_image_needs_no_docroot),
		cmocka_unit_test(test_sizes_are_read_as_php_writes_them),
		cmocka_unit_test(test_workers_are_those_of_all_replicas),
		cmocka_unit_test(test_what_does_not_fit_is_counted),
		cmocka_unit_test(test_every_id_and_result_has_a_name),
		cmocka_unit_test(test_the_configuration_is_named),
		cmocka_unit_test(test_no_control_character_reaches_a_terminal),
		cmocka_unit_test(test_the_manual_has_each_id_once_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
