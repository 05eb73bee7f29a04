/* The facts of `twinit check`: what is there is seen as it is. */
#include <poll.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "confine/caps.h"
#include "fake_fpm.h"
#include "question/checkup.h"
#include "session/store.h"
#include "util/cleanup.h"

/* Run a question in a child, as a helper does, and take its answer of @size bytes. */
static void ask(void (*run)(const void *, int), const void *query, void *answer, size_t size)
{
	int pair[2], status;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(30); /* a guard */
		close(pair[0]);
		if (caps_no_new_privileges() < 0)
			_exit(EXIT_FAILURE);
		run(query, pair[1]);
		_exit(EXIT_SUCCESS);
	}
	close(pair[1]);
	assert_int_equal(recv(pair[0], answer, size, 0), size);
	close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* --- the host --- */

static void test_the_host_is_seen_as_it_is(void **state)
{
	struct host_facts host;

	(void)state;
	checkup_host(&host);
	assert_int_equal(host.uid, geteuid());
	assert_true(host.kernel_major >= 4);
	assert_int_equal(strtol(host.kernel, NULL, 10), host.kernel_major);
	assert_int_equal(host.steering, 0);
	assert_true(host.somaxconn > 0);
	assert_true(host.pid_max > 1000);
	assert_true(host.open_files > 0);
	assert_null(strchr(host.apparmor, '\n'));
}

/* --- a release --- */

static char site[SCRATCH_PATH_SIZE];

static struct release_facts release_of(const char *docroot)
{
	static struct app_config app;
	static struct release_facts facts;
	const struct checkup_release_query query = { .app = &app };

	snprintf(app.release, sizeof(app.release), "%s/current", site);
	snprintf(app.docroot, sizeof(app.docroot), "%s", docroot);
	ask(checkup_release_run, &query, &facts, sizeof(facts));
	assert_true(facts.known);
	return facts;
}

static void test_a_release_is_followed(void **state)
{
	(void)state;
	scratch_dir(site);
	assert_int_equal(mkdir(at("%s/1", site), 0755), 0);
	assert_false(release_of("public").ok);
	assert_int_equal(symlink("1", at("%s/current", site)), 0);
	assert_true(release_of("public").ok);
	assert_true(release_of("public").empty);
	assert_false(release_of("public").docroot);
	assert_int_equal(mkdir(at("%s/1/public", site), 0755), 0);
	assert_false(release_of("public").empty);
	assert_true(release_of("public").docroot);
	assert_true(release_of("").docroot);
	assert_string_equal(release_of("").path, at("%s/1", site));
}

static void test_a_file_is_no_docroot(void **state)
{
	(void)state;
	scratch_dir(site);
	assert_int_equal(mkdir(at("%s/1", site), 0755), 0);
	assert_int_equal(symlink("1", at("%s/current", site)), 0);
	scratch_file(at("%s/1/public", site), "");
	assert_false(release_of("public").docroot);
}

/* --- PHP --- */

/* A php-fpm that the shell plays: -i prints @info, with OPcache more, and -tt @dump. */
static struct php_facts php_of(const char *info, const char *with_opcache, const char *dump)
{
	static char folder[SCRATCH_PATH_SIZE];
	static struct app_config app;
	static struct php_facts facts;
	struct session_source source;
	struct checkup_php_query query = { .app = &app, .secrets = "" };

	scratch_dir(folder);
	app = (struct app_config){ .replicas = 2 };
	snprintf(app.php_fpm, sizeof(app.php_fpm), "%s/fpm", folder);
	snprintf(app.fpm_config, sizeof(app.fpm_config), "%s/php-fpm.conf", folder);
	scratch_file(app.fpm_config, "");
	scratch_file(at("%s/info", folder), info);
	scratch_file(at("%s/dump", folder), dump);
	scratch_file(app.php_fpm,
	             at("#!/bin/sh\ncase \"$*\" in\n*-tt*) cat %s/dump;;\n"
	                "*opcache.enable=0*) cat %s/info;;\n*) cat %s/info; %s;;\nesac\n",
	                folder, folder, folder, with_opcache));
	assert_int_equal(chmod(app.php_fpm, 0755), 0);
	query.sources = memfd_create("sources", MFD_CLOEXEC);
	assert_true(query.sources >= 0);
	ask(checkup_php_run, &query, &facts, sizeof(facts));
	if (facts.ok)
		assert_int_equal(pread(query.sources, &source, sizeof(source), 0), sizeof(source));
	close(query.sources);
	return facts;
}

#define INFO                                                                                       \
	"phpinfo()\nPHP Version => 8.2.36\nServer API => FPM/FastCGI\nmemory_limit => 64M => "     \
	"64M\n"
#define NOTICE "[21-Nov-2026 10:00:00] NOTICE: "
#define POOL                                                                                       \
	NOTICE "[global]\n" NOTICE "\tprocess_control_timeout = 10s\n" NOTICE "[www]\n" NOTICE     \
	       "\tuser = nobody\n" NOTICE "\tlisten = 127.0.0.1:9000\n" NOTICE                     \
	       "\tpm = static\n" NOTICE "\tpm.max_children = 3\n"
#define END NOTICE "configuration file x test is successful\n"

static void test_php_is_read(void **state)
{
	struct php_facts facts = php_of(
		INFO,
		"printf 'opcache.enable => On => On\\nopcache.memory_consumption => 64 => 64\\n'",
		POOL NOTICE "\tclear_env = no\n" END);

	(void)state;
	assert_string_equal(facts.why, "");
	assert_true(facts.ok);
	assert_string_equal(facts.version, "8.2.36");
	assert_string_equal(facts.sapi, "FPM/FastCGI");
	assert_int_equal(facts.version_id, 802);
	assert_int_equal(facts.control_timeout_s, 10);
	assert_true(facts.opcache_read);
	assert_true(facts.opcache);
	assert_int_equal(facts.opcache_memory, 64 << 20);
	assert_false(facts.apcu);
	assert_false(facts.validate_timestamps);
	assert_int_equal(facts.settings.pools[0].max_children, 3);
	assert_false(facts.pools[0].clear_env);
	assert_int_equal(facts.pools[0].memory_limit, 64 << 20);
}

static void test_what_a_pool_says_is_what_counts(void **state)
{
	struct php_facts facts =
		php_of(INFO "disable_functions => exec,opcache_reset => exec,opcache_reset\n",
	               "echo 'apc.enabled => On => On'",
	               POOL NOTICE "\tphp_admin_value[memory_limit] = 1G\n" NOTICE
	                           "\tphp_value[opcache.validate_timestamps] = 1\n" END);

	(void)state;
	assert_true(facts.ok);
	assert_true(facts.pools[0].memory_limit == 1ull << 30);
	assert_true(facts.pools[0].clear_env);
	assert_true(facts.validate_timestamps);
	assert_true(facts.reset_restricted);
	assert_true(facts.apcu);
	assert_false(facts.opcache);
}

static void test_an_opcache_that_cannot_start_is_told_in_fpms_words(void **state)
{
	struct php_facts facts = php_of(INFO, "echo 'ERROR: no memory'; exit 78", POOL END);

	(void)state;
	assert_true(facts.ok);
	assert_false(facts.opcache_read);
	assert_non_null(strstr(facts.opcache_why, "ERROR: no memory"));
}

static void test_a_broken_configuration_is_told_in_fpms_words(void **state)
{
	struct php_facts facts = php_of(INFO, "true", "[21-Nov-2026 10:00:00] ERROR: [x:1] y\n");

	(void)state;
	assert_false(facts.ok);
	assert_non_null(strstr(facts.why, "[x:1] y"));
}

/* --- what web servers do --- */

#define PROCESS(state, script) "{\"pid\":7,\"state\":\"" state "\",\"script\":\"" script "\"}"
#define PAGE(...)                                                                                  \
	{                                                                                          \
		FAKE_BODY, "{\"pool\":\"www\",\"processes\":[" __VA_ARGS__ "]}"                    \
	}
#define LAST                                                                                       \
	{                                                                                          \
		FAKE_END, NULL                                                                     \
	}

static struct traffic_facts traffic_of(const struct fake_answer *pages)
{
	static char folder[SCRATCH_PATH_SIZE];
	struct checkup_traffic_query query = { .below = "/srv/current", .socket_count = 1 };
	struct traffic_facts facts;

	scratch_dir(folder);
	query.private_fd = open(folder, O_PATH | O_CLOEXEC);
	strcpy(query.sockets[0].name, "1.s");
	strcpy(query.sockets[0].path, "/status");
	pid_t pid = pages ? fake_fpm(at("%s/1.s", folder), "/status", pages) : 0;
	ask(checkup_traffic_run, &query, &facts, sizeof(facts));
	close(query.private_fd);
	if (pid > 0)
		fake_end(pid);
	return facts;
}

static void test_a_connection_that_stays_idle_is_kept(void **state)
{
	static const struct fake_answer pages[] = {
		PAGE(PROCESS("Reading headers", "/srv/current/a.php") "," PROCESS("Idle", "-")),
		LAST,
	};
	struct traffic_facts facts = traffic_of(pages);

	(void)state;
	assert_true(facts.known);
	assert_int_equal(facts.workers, 2);
	assert_int_equal(facts.kept, 1);
	assert_int_equal(facts.scripts.seen, 1);
	assert_int_equal(facts.scripts.through, 1);
}

static void test_one_that_is_just_read_is_not(void **state)
{
	static const struct fake_answer pages[] = {
		PAGE(PROCESS("Reading headers", "-")),
		PAGE(PROCESS("Reading headers", "-")),
		PAGE(PROCESS("Running", "/srv/releases/1/a.php")),
		LAST,
	};
	struct traffic_facts facts = traffic_of(pages);

	(void)state;
	assert_true(facts.known);
	assert_int_equal(facts.kept, 0);
}

static void test_who_is_gone_or_says_garbage_is_not_known(void **state)
{
	static const struct fake_answer garbage[] = { { FAKE_BODY, "garbage" }, LAST };

	(void)state;
	assert_false(traffic_of(NULL).known);
	assert_false(traffic_of(garbage).known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_host_is_seen_as_it_is),
		cmocka_unit_test(test_a_release_is_followed),
		cmocka_unit_test(test_a_file_is_no_docroot),
		cmocka_unit_test(test_php_is_read),
		cmocka_unit_test(test_what_a_pool_says_is_what_counts),
		cmocka_unit_test(test_an_opcache_that_cannot_start_is_told_in_fpms_words),
		cmocka_unit_test(test_a_broken_configuration_is_told_in_fpms_words),
		cmocka_unit_test(test_a_connection_that_stays_idle_is_kept),
		cmocka_unit_test(test_one_that_is_just_read_is_not),
		cmocka_unit_test(test_who_is_gone_or_says_garbage_is_not_known),
	};

	return cmocka_run_group_tests_name("question/checkup", tests, scratch_begin, scratch_end);
}
