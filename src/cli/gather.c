#include "cli/gather.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/run_dirs.h"
#include "control/connection.h"
#include "process/ask.h"
#include "question/checkup.h"
#include "question/isolation.h"
#include "question/limits.h"
#include "question/stores.h"
#include "session/finding_file.h"
#include "util/cgroup.h"
#include "util/cleanup.h"
#include "util/fs.h"
#include "util/text.h"

enum {
	TWINIT_PATIENCE_MS = 5000,
	LOOK_TIMEOUT_MS = 5000,
	PHP_TIMEOUT_MS = 15000,
	STORE_PATIENCE_MS = 2000, /* for one address */
	STORE_TOTAL_MS = 8000,
	STORE_TIMEOUT_MS = 15000, /* name servers included */
	COVER_SIZE = 64,
};

/* --- the twinit that runs --- */

static int open_at(const char *run_dir, struct gathered *g)
{
	const struct wire_request request = { .command = COMMAND_STATUS };
	struct stat st;
	int fd = connection_open(run_dir, &request);

	if (fd < 0 && fd != -EACCES)
		return fd;
	g->found = stat(run_dir, &st) == 0;
	g->uid = st.st_uid;
	text_copy_cut(g->run_dir, sizeof(g->run_dir), run_dir);
	return fd;
}

static int open_twinit(const struct config *config, struct gathered *g)
{
	const char *said = getenv("TWINIT_RUN_DIR");
	int fd = -ENOENT;

	if (said && said[0] != '\0')
		return open_at(said, g);
	if (config && config->run_dir_set)
		return open_at(config->run_dir, g);
	for (size_t i = 0; run_dirs[i] && fd < 0 && fd != -EACCES; i++)
		fd = open_at(run_dirs[i], g);
	return fd;
}

static void read_command(pid_t pid, struct gathered *g)
{
	char path[32];

	if (pid <= 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	ssize_t n = read_file(path, g->command, sizeof(g->command));
	/* What did not fit would be misread. */
	g->command_size = n <= 0 || (size_t)n >= sizeof(g->command) - 1 ? 0 : (size_t)n;
}

static void take_container(const struct wire_container *container, struct twinit_facts *facts)
{
	facts->running = true;
	facts->pid = container->pid;
	facts->healthy = container->healthy != 0;
	facts->degraded = container->degraded != 0;
	text_copy_cut(facts->version, sizeof(facts->version), container->version);
	text_copy_cut(facts->why, sizeof(facts->why), container->why);
}

static void take_master(const struct wire_replica *replica, struct gathered *g)
{
	if (g->master_count == GATHER_MASTERS_MAX || replica->pid == 0)
		return;
	struct gathered_master *master = &g->masters[g->master_count++];

	master->pid = (pid_t)replica->pid;
	text_copy_cut(master->app, sizeof(master->app), replica->app);
}

static int take_replies(int fd, struct gathered *g)
{
	struct wire_reply reply;
	int r;

	while ((r = connection_receive(fd, &reply, TWINIT_PATIENCE_MS)) >= 0 &&
	       reply.kind != WIRE_END) {
		if (reply.kind == WIRE_CONTAINER)
			take_container(&reply.container, &g->twinit);
		else if (reply.kind == WIRE_REPLICA)
			take_master(&reply.replica, g);
		else if (reply.kind == WIRE_SESSIONS)
			fd_close(&reply.sessions.findings_fd);
	}
	return r;
}

void gather_twinit(const struct config *config, struct gathered *gathered)
{
	struct text why = TEXT(gathered->twinit.why);

	*gathered = (struct gathered){ .found = false };
	_cleanup_close_ int fd = open_twinit(config, gathered);
	if (fd == -EACCES)
		text_add(&why, "one runs in %s, and does not answer user %u", gathered->run_dir,
		         (unsigned)geteuid());
	if (fd < 0)
		return;
	pid_t pid = connection_peer(fd);
	read_command(pid, gathered);
	int r = take_replies(fd, gathered);
	gathered->twinit.elsewhere = pid != (pid_t)gathered->twinit.pid;
	if (gathered->twinit.elsewhere)
		gathered->master_count = 0; /* these pids are other processes here */
	if (r >= 0)
		return;
	gathered->twinit = (struct twinit_facts){ .running = true };
	text_add(&why, "asked in %s: %s", gathered->run_dir, strerror(-r));
}

/* --- an app --- */

static int keep(struct question *question, int fd)
{
	question->keep[question->keep_count++] = fd;
	return fd;
}

static void look_at_release(struct app_facts *facts)
{
	const struct checkup_release_query query = { .app = &facts->config };
	const struct question question = {
		.run = checkup_release_run,
		.query = &query,
		.power = POWER_CONFIG,
		.timeout_ms = LOOK_TIMEOUT_MS,
	};

	if (helper_ask(&question, &facts->release, sizeof(facts->release), NULL) < 0)
		facts->release = (struct release_facts){ .known = false };
}

static int ask_isolation(enum isolation wanted, struct app_facts *facts, const char *cover)
{
	static struct isolation_answer answer;
	struct isolation_query query = {
		.wanted = wanted,
		.cover = { .path = cover, .read_only = "pin", .writable = "pid" },
		.path_possible = facts->config.release[0] != '\0' && facts->config.docroot_set,
	};
	const struct question question = {
		.run = isolation_run,
		.query = &query,
		.power = POWER_TRIAL,
		.timeout_ms = LOOK_TIMEOUT_MS,
	};

	memcpy(query.link, facts->config.release, sizeof(query.link));
	int r = helper_ask(&question, &answer, sizeof(answer), NULL);
	if (r < 0)
		return r;
	facts->isolation.ok = answer.ok;
	facts->isolation.pin = answer.pin;
	text_copy_cut(facts->isolation.why, sizeof(facts->isolation.why), answer.why);
	return 0;
}

/* Something to cover, as replicas cover the run_dir: a directory with two others. */
static const char *const inside_cover[] = { "", "/pin", "/pid" };

static void remove_cover(const char *cover)
{
	char path[COVER_SIZE + 8];

	for (size_t i = ARRAY_SIZE(inside_cover); i-- > 0;) {
		snprintf(path, sizeof(path), "%s%s", cover, inside_cover[i]);
		(void)rmdir(path);
	}
}

static bool fill_cover(const char *cover)
{
	char path[COVER_SIZE + 8];

	for (size_t i = 1; i < ARRAY_SIZE(inside_cover); i++) {
		snprintf(path, sizeof(path), "%s%s", cover, inside_cover[i]);
		if (mkdir(path, 0755) < 0)
			return false;
	}
	return chmod(cover, 0755) == 0;
}

static bool make_cover(char cover[COVER_SIZE])
{
	static const char *const places[] = { "/run", "/dev/shm", "/tmp", NULL };

	for (size_t i = 0; places[i]; i++) {
		snprintf(cover, COVER_SIZE, "%s/twinit-check-XXXXXX", places[i]);
		if (!mkdtemp(cover))
			continue;
		if (fill_cover(cover))
			return true;
		remove_cover(cover);
	}
	return false;
}

static void look_at_isolation(enum isolation wanted, struct app_facts *facts)
{
	char cover[COVER_SIZE];

	if (!make_cover(cover))
		return;
	facts->isolation.known = ask_isolation(wanted, facts, cover) >= 0;
	remove_cover(cover);
}

static void look_at_php(const struct config *config, int sources, struct app_facts *facts)
{
	const struct checkup_php_query query = {
		.app = &facts->config,
		.secrets = config->secrets,
		.sources = sources,
	};
	struct question question = {
		.run = checkup_php_run,
		.query = &query,
		.power = POWER_CONFIG,
		.timeout_ms = PHP_TIMEOUT_MS,
	};

	(void)keep(&question, sources);
	int r = helper_ask(&question, &facts->php, sizeof(facts->php), NULL);
	if (r >= 0)
		return;
	facts->php = (struct php_facts){ .ok = false };
	snprintf(facts->php.why, sizeof(facts->php.why), "php-fpm could not be asked: %s",
	         r == -ETIMEDOUT ? "it does not answer within 15 s" : child_trouble(r));
}

static void look_at_sessions(const struct config *config, int sources, struct app_facts *facts)
{
	struct store_report report;
	const struct stores_query query = {
		.sources_fd = sources,
		.timeout_ms = STORE_PATIENCE_MS,
		.total_ms = STORE_TOTAL_MS,
	};
	struct question question = {
		.run = stores_run,
		.query = &query,
		.power = POWER_NETWORK,
		.timeout_ms = STORE_TIMEOUT_MS,
	};
	_cleanup_close_ int findings = FD_NONE;

	(void)keep(&question, sources);
	int r = helper_ask(&question, &report, sizeof(report), &findings);
	facts->sessions.required = config->sessions.verify == VERIFY_REQUIRED;
	facts->sessions.uses_redis = r >= 0 && report.uses_redis;
	facts->sessions.known = r >= 0 && findings >= 0 &&
	                        finding_file_read(findings, &facts->sessions.findings) >= 0;
}

static void look_at_room(const struct gathered *g, struct app_facts *facts)
{
	pid_t masters[2 * REPLICAS_MAX];
	size_t count = 0;

	for (unsigned i = 0; i < g->master_count && count < ARRAY_SIZE(masters); i++)
		if (strcmp(g->masters[i].app, facts->config.name) == 0)
			masters[count++] = g->masters[i].pid;
	facts->room = limits_look(CGROUP_ROOT, masters, count);
}

/* "0-12-1.s" is the status socket of a master's second pool of the first app. */
static bool is_status_socket(const char *name, size_t app, unsigned *pool)
{
	char *end;

	if (strtoul(name, &end, 10) != app || end == name || *end != '-')
		return false;
	(void)strtoul(end + 1, &end, 10); /* the master's number */
	if (*end != '-')
		return false;
	*pool = (unsigned)strtoul(end + 1, &end, 10);
	return strcmp(end, ".s") == 0;
}

static void list_status_sockets(DIR *dir, size_t app, const struct fpm_settings *settings,
                                struct checkup_traffic_query *query)
{
	const struct dirent *entry;
	unsigned pool;

	while ((entry = readdir(dir)) && query->socket_count < DRAIN_SOCKETS_MAX) {
		struct drain_socket *to = &query->sockets[query->socket_count];

		if (!is_status_socket(entry->d_name, app, &pool) || pool >= settings->pool_count ||
		    !text_copy(to->name, sizeof(to->name), entry->d_name))
			continue;
		memcpy(to->path, settings->pools[pool].status_path, sizeof(to->path));
		query->socket_count++;
	}
}

static void look_at_traffic(size_t app, const struct gathered *g, struct app_facts *facts)
{
	static struct checkup_traffic_query query;
	struct question question = {
		.run = checkup_traffic_run,
		.query = &query,
		.power = POWER_PRIVATE,
		.timeout_ms = LOOK_TIMEOUT_MS,
	};
	char path[CONFIG_PATH_SIZE + 16];

	snprintf(path, sizeof(path), "%s/private", g->run_dir);
	DIR *dir = opendir(path);
	if (!dir)
		return;
	query = (struct checkup_traffic_query){
		.private_fd = keep(&question, dirfd(dir)),
		.below = facts->config.release,
	};
	list_status_sockets(dir, app, &facts->php.settings, &query);
	if (helper_ask(&question, &facts->traffic, sizeof(facts->traffic), NULL) < 0)
		facts->traffic = (struct traffic_facts){ .known = false };
	(void)closedir(dir);
}

void gather_app(const struct config *config, size_t index, const struct gathered *gathered,
                struct app_facts *facts)
{
	_cleanup_close_ int sources = memfd_create("twinit-sources", MFD_CLOEXEC);

	memset(facts, 0, sizeof(*facts));
	facts->config = config->apps[index];
	if (facts->config.release[0] != '\0')
		look_at_release(facts);
	look_at_isolation(config->isolation, facts);
	look_at_php(config, sources, facts);
	if (facts->php.ok)
		look_at_sessions(config, sources, facts);
	look_at_room(gathered, facts);
	if (gathered->twinit.running && facts->php.ok)
		look_at_traffic(index, gathered, facts);
}
