#include "question/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nss.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fpm/dump.h"
#include "fpm/overlay.h"
#include "listen/address.h"
#include "process/helper.h"
#include "question/program.h"
#include "session/store.h"
#include "util/cleanup.h"
#include "util/text.h"

/* What is collected on the way.  The helper's memory goes with it; nothing is freed. */
struct reading {
	const struct settings_query *query;
	struct settings_answer *answer;
	struct text why;
	char config[CONFIG_PATH_SIZE]; /* the operator's main FPM configuration */
	char *info;                    /* php-fpm -i */
	struct fpm_dump dump;          /* php-fpm -tt */
};

void settings_prepend_name(const char *app, unsigned generation, const char *pool, char *to,
                           size_t size)
{
	struct text text = text_init(to, size);

	text_add(&text, "%s-%u-%s.php", app, generation, pool);
}

void settings_pid_name(unsigned generation, unsigned overlay, char *to, size_t size)
{
	struct text text = text_init(to, size);

	text_add(&text, "%u-%u.pid", generation, overlay);
}

static int find_program(struct reading *r)
{
	const char *name = r->query->app->php_fpm;
	struct settings_answer *answer = r->answer;

	if (program_find_fpm(name, answer->php_fpm, sizeof(answer->php_fpm)) >= 0)
		return 0;
	text_add(&r->why, "cannot find the PHP-FPM binary ");
	text_add_quoted(&r->why, name);
	text_add(&r->why, " in PATH or the sbin directories; install php-fpm or set php_fpm");
	return -ENOENT;
}

/* php.ini's values, as this SAPI sees them. */
static int read_info(struct reading *r)
{
	const char *const argv[] = { r->answer->php_fpm, "-d", "opcache.preload=", "-i", NULL };
	int status = program_run(argv, -1, &r->info);

	if (status == 0 && strstr(r->info, "phpinfo()"))
		return 0;
	text_add_quoted(&r->why, r->answer->php_fpm);
	text_add(&r->why, " -i failed (%s %d); is it a PHP-FPM binary?",
	         status < 0 ? "error" : "exit status", status < 0 ? -status : status);
	return -EINVAL;
}

/* "Configuration File (php.ini) Path => /etc/php/8.2/fpm" */
static bool ini_directory(const char *info, char *to, size_t size)
{
	static const char key[] = "\nConfiguration File (php.ini) Path => ";
	const char *at = strstr(info, key);
	struct text text = text_init(to, size);

	if (!at)
		return false;
	at += strlen(key);
	text_add(&text, "%.*s", (int)strcspn(at, "\n"), at);
	return to[0] == '/';
}

static bool config_in(struct reading *r, const char *directory)
{
	struct text text = TEXT(r->config);

	text_add(&text, "%s/php-fpm.conf", directory);
	return access(r->config, R_OK) == 0;
}

/*
 * FPM does not tell its default path without a complete test run, which needs its log files.
 * Debian and Alpine have it beside php.ini, the official images one directory up.
 */
static int find_config(struct reading *r)
{
	char directory[CONFIG_PATH_SIZE];
	const char *said = r->query->app->fpm_config;

	if (said[0] != '\0') {
		if (text_copy(r->config, sizeof(r->config), said) && access(said, R_OK) == 0)
			return 0;
		text_add(&r->why, "cannot read fpm_config ");
		text_add_quoted(&r->why, said);
		text_add(&r->why, ": %s", strerror(errno));
		return -ENOENT;
	}
	if (ini_directory(r->info, directory, sizeof(directory))) {
		if (config_in(r, directory))
			return 0;
		char *slash = strrchr(directory, '/');
		*slash = '\0';
		if (config_in(r, directory))
			return 0;
	}
	text_add(&r->why, "cannot find php-fpm.conf beside php.ini; set fpm_config");
	return -ENOENT;
}

/*
 * -tt prints passwords to error_log too, so that goes nowhere; and it would run opcache.preload,
 * which is the site's code.
 */
static int read_dump(struct reading *r)
{
	const char *const argv[] = { r->answer->php_fpm, "-d",  "opcache.enable=0",
		                     "-d", "opcache.preload=", "-tt", "-y",
		                     "/proc/self/fd/3", NULL };
	_cleanup_close_ int fd = memfd_create("wrapper", MFD_CLOEXEC);
	char *output;

	if (fd < 0 ||
	    dprintf(fd, "include=%s\n[global]\nerror_log=/dev/null\nlog_limit=65535\n", r->config) < 0)
		return -errno;
	int status = program_run(argv, fd, &output);
	int result = status < 0 ? status : fpm_dump_parse(output, &r->dump);

	if (result < 0)
		text_add(&r->why, "cannot run php-fpm -tt: %s", strerror(-result));
	return result;
}

static int read_settings(struct reading *r)
{
	int result = fpm_settings_from_dump(&r->dump, &r->answer->settings, r->answer->why,
	                                    sizeof(r->answer->why));

	if (result < 0)
		r->why.length = strlen(r->answer->why);
	return result;
}

/* --- names to numbers --- */

static bool is_number(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static int unknown(struct reading *r, const char *pool, const char *what, const char *name)
{
	text_add(&r->why, "pool %s: unknown %s ", pool, what);
	text_add_quoted(&r->why, name);
	return -ENOENT;
}

static int find_user(const char *name, struct identity *identity)
{
	const struct passwd *entry =
	        is_number(name) ? getpwuid((uid_t)strtoul(name, NULL, 10)) : getpwnam(name);
	int count = IDENTITY_GROUPS_MAX;

	if (!entry && !is_number(name))
		return -ENOENT;
	*identity = (struct identity){ 0 };
	if (!entry) {
		identity->uid = (uid_t)strtoul(name, NULL, 10);
		identity->gid = identity->uid;
		return 0;
	}
	identity->uid = entry->pw_uid;
	identity->gid = entry->pw_gid;
	if (getgrouplist(entry->pw_name, entry->pw_gid, identity->groups, &count) < 0)
		count = IDENTITY_GROUPS_MAX;
	identity->group_count = (size_t)count;
	return 0;
}

static int find_group(const char *name, gid_t *gid)
{
	const struct group *entry;

	if (is_number(name)) {
		*gid = (gid_t)strtoul(name, NULL, 10);
		return 0;
	}
	entry = getgrnam(name);
	if (!entry)
		return -ENOENT;
	*gid = entry->gr_gid;
	return 0;
}

static int pool_identity(struct reading *r, const struct fpm_pool *pool, struct identity *identity)
{
	if (find_user(pool->user, identity) < 0)
		return unknown(r, pool->name, "user", pool->user);
	if (pool->group[0] != '\0' && find_group(pool->group, &identity->gid) < 0)
		return unknown(r, pool->name, "group", pool->group);
	return 0;
}

/* FPM as root demands a user for each pool, so there is one; as somebody else it ignores it. */
static int read_identity(struct reading *r)
{
	const struct fpm_settings *settings = &r->answer->settings;
	struct identity other;
	int result;

	if (geteuid() != 0) {
		r->answer->identity = identity_current();
		return 0;
	}
	result = pool_identity(r, &settings->pools[0], &r->answer->identity);
	for (unsigned i = 1; result >= 0 && i < settings->pool_count; i++) {
		result = pool_identity(r, &settings->pools[i], &other);
		if (result >= 0 && (other.uid != r->answer->identity.uid ||
		                    other.gid != r->answer->identity.gid)) {
			text_add(&r->why,
			         "pools %s and %s run as different users; give each an [app] of its own",
			         settings->pools[0].name, settings->pools[i].name);
			return -EINVAL;
		}
	}
	if (result >= 0 && r->answer->identity.uid == 0) {
		text_add(&r->why, "pool %s: user is root, as which twinit runs no PHP",
		         settings->pools[0].name);
		return -EINVAL;
	}
	return result;
}

static int read_owner(struct reading *r, const struct fpm_pool *pool, struct socket_owner *owner)
{
	struct identity identity;

	*owner = (struct socket_owner){ .uid = geteuid(), .gid = getegid() };
	if (geteuid() != 0)
		return 0; /* only root may give a socket away, and FPM would not either */
	if (pool->listen_owner[0] != '\0') {
		if (find_user(pool->listen_owner, &identity) < 0)
			return unknown(r, pool->name, "listen.owner", pool->listen_owner);
		owner->uid = identity.uid;
	}
	if (pool->listen_group[0] != '\0' && find_group(pool->listen_group, &owner->gid) < 0)
		return unknown(r, pool->name, "listen.group", pool->listen_group);
	return 0;
}

/* A bare port means both families where IPv6 exists, and IPv4 otherwise (fpm_sockets.c). */
static bool have_ipv6(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0;
}

static void narrow_to_ipv4(struct fpm_pool *pool)
{
	const char *colon = strrchr(pool->listen, ':');
	char port[8];
	struct text text = TEXT(port);

	text_add(&text, "%s", colon ? colon + 1 : pool->listen);
	text = TEXT(pool->listen);
	text_add(&text, "0.0.0.0:%s", port);
}

/* "localhost:9000" to "127.0.0.1:9000": PID 1 must not wait for a name server. */
static int resolve_listen(struct reading *r, struct fpm_pool *pool)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct address address = { 0 };
	struct addrinfo *found;
	char host[LISTEN_SIZE], text[ADDRESS_TEXT_SIZE];
	char *colon;

	if (address_parse(pool->listen, &address) >= 0) {
		if (address.any && !have_ipv6())
			narrow_to_ipv4(pool);
		return 0;
	}
	memcpy(host, pool->listen, sizeof(host));
	colon = strrchr(host, ':');
	if (pool->listen[0] == '/' || !colon) {
		text_add(&r->why, "pool %s: cannot listen on ", pool->name);
		text_add_quoted(&r->why, pool->listen);
		text_add(&r->why, "; write a port, host:port or an absolute path that is not too long");
		return -EINVAL;
	}
	*colon = '\0';
	int error = getaddrinfo(host, colon + 1, &hints, &found);
	if (error != 0) {
		text_add(&r->why, "pool %s: cannot resolve the host of listen = %s: %s", pool->name,
		         pool->listen, gai_strerror(error));
		return -EHOSTUNREACH;
	}
	memcpy(&address.sockaddr, found->ai_addr, found->ai_addrlen);
	address_text(&address, text);
	memcpy(pool->listen, text, sizeof(pool->listen));
	return 0;
}

static int read_pools(struct reading *r)
{
	struct fpm_settings *settings = &r->answer->settings;
	int result = 0;

	for (unsigned i = 0; result >= 0 && i < settings->pool_count; i++) {
		struct fpm_pool *pool = &settings->pools[i];

		if (pool->chrooted) {
			text_add(&r->why, "pool %s: chroot needs a master that is root, which twinit "
			                  "does not run; use a container or a namespace instead",
			         pool->name);
			return -EINVAL;
		}
		result = resolve_listen(r, pool);
		if (result >= 0)
			result = read_owner(r, pool, &r->answer->owners[i]);
	}
	return result;
}

/* --- what the replicas and the session helper are given --- */

static int read_source(struct reading *r, const struct fpm_pool *pool,
                       struct session_source *source)
{
	char number[32], locking[16];
	int result = 0;

	*source = (struct session_source){ 0 };
	memcpy(source->pool, pool->name, sizeof(source->pool));
	const struct {
		const char *setting;
		char *to;
		size_t size;
	} wanted[] = {
		{ "session.save_handler", source->handler, sizeof(source->handler) },
		{ "session.save_path", source->save_path, sizeof(source->save_path) },
		{ "session.gc_maxlifetime", number, sizeof(number) },
		{ "redis.session.locking_enabled", locking, sizeof(locking) },
	};
	for (size_t i = 0; result >= 0 && i < ARRAY_SIZE(wanted); i++) {
		result = fpm_dump_php_setting(&r->dump, r->info, pool->name, wanted[i].setting,
		                              wanted[i].to, wanted[i].size);
		if (result < 0)
			text_add(&r->why, "pool %s: %s is too long", pool->name, wanted[i].setting);
	}
	source->gc_maxlifetime_s = (uint32_t)strtoul(number, NULL, 10);
	source->locking = locking[0] == '1' || strcasecmp(locking, "on") == 0;
	return result;
}

static int write_sources(struct reading *r)
{
	const struct fpm_settings *settings = &r->answer->settings;
	struct session_source source;

	for (unsigned i = 0; i < settings->pool_count; i++) {
		int result = read_source(r, &settings->pools[i], &source);

		if (result < 0)
			return result;
		if (write(r->query->sources, &source, sizeof(source)) != (ssize_t)sizeof(source)) {
			text_add(&r->why, "cannot write the session settings: %s", strerror(errno));
			return -EIO;
		}
	}
	return 0;
}

static int write_prepend(struct reading *r, const char *pool)
{
	const struct settings_query *q = r->query;
	char name[NAME_SIZE + POOL_NAME_SIZE + 32], own[CONFIG_PATH_SIZE];

	settings_prepend_name(q->app->name, q->generation, pool, name, sizeof(name));
	if (fpm_dump_php_setting(&r->dump, r->info, pool, "auto_prepend_file", own, sizeof(own)) <
	    0)
		return -ENAMETOOLONG;
	int fd = openat(q->pin_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	_cleanup_file_ FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out)
		return -errno;
	/* Readable for PHP whatever our umask is. */
	if (fchmod(fd, 0644) < 0)
		return -errno;
	return pin_write_prepend(out, q->app->release, q->release->path, q->app->docroot, own);
}

static int write_overlay(struct reading *r, const struct overlay *overlay, int fd)
{
	int copy = dup(fd);
	_cleanup_file_ FILE *out = copy < 0 ? NULL : fdopen(copy, "w");

	if (!out)
		return -errno;
	int result = overlay_write(out, overlay, &r->dump, r->info, r->answer->why,
	                           sizeof(r->answer->why));
	if (result < 0)
		r->why.length = strlen(r->answer->why);
	return result;
}

static struct fpm_settings shares_of(const struct reading *r, unsigned index)
{
	const struct app_config *app = r->query->app;
	struct fpm_settings shares = r->answer->settings;

	if (app->workers == WORKERS_SPLIT)
		for (unsigned i = 0; i < shares.pool_count; i++)
			shares.pools[i] = fpm_pool_share(&r->answer->settings.pools[i], app->replicas,
			                                 index == OVERLAY_RESCUE ? 0 : index);
	return shares;
}

/* What FPM shall call the address of each pool. */
static int name_listeners(const struct fpm_settings *settings,
                          char texts[POOLS_MAX][LISTEN_SIZE], const char *names[POOLS_MAX])
{
	for (unsigned i = 0; i < settings->pool_count; i++) {
		struct address address = { 0 };

		if (address_parse(settings->pools[i].listen, &address) < 0)
			return -EINVAL;
		if (address_is_unix(&address))
			overlay_decoy_listen(settings->pools[i].name, texts[i]);
		else
			address_text(&address, texts[i]);
		names[i] = texts[i];
	}
	return 0;
}

static int write_prepends(struct reading *r)
{
	const struct fpm_settings *settings = &r->answer->settings;
	int result = 0;

	for (unsigned i = 0; result >= 0 && i < settings->pool_count; i++)
		result = write_prepend(r, settings->pools[i].name);
	return result;
}

static int write_replica(struct reading *r, struct overlay *overlay, unsigned index)
{
	const struct settings_query *q = r->query;
	struct fpm_settings shares = shares_of(r, index);
	char pid_file[CONFIG_PATH_SIZE + NAME_SIZE + 64], pid_name[32];
	struct text path = TEXT(pid_file);

	settings_pid_name(q->generation, index, pid_name, sizeof(pid_name));
	text_add(&path, "%s/pid-%s/%s", q->run_dir, q->app->name, pid_name);
	overlay->shares = &shares;
	overlay->pid_file = pid_file;
	return write_overlay(r, overlay, q->overlays[index]);
}

static int write_overlays(struct reading *r)
{
	static char texts[POOLS_MAX][LISTEN_SIZE];
	const char *listen[POOLS_MAX];
	const struct settings_query *q = r->query;
	char prefix[CONFIG_PATH_SIZE + NAME_SIZE + 64];
	struct text prefix_text = TEXT(prefix);
	const struct overlay_pin pin = { q->app->release, q->release->path, q->app->docroot, prefix };
	struct overlay overlay = {
		.fpm_config = r->config,
		.error_log = "/proc/self/fd/2",
		.process_control_timeout_ms = q->app->drain_timeout_ms,
		.listen = listen,
		.pin = q->pin == PIN_PATH ? &pin : NULL,
	};
	int result = name_listeners(&r->answer->settings, texts, listen);

	text_add(&prefix_text, "%s/pin/%s-%u-", q->run_dir, q->app->name, q->generation);
	if (result >= 0 && overlay.pin)
		result = write_prepends(r);
	for (unsigned i = 0; result >= 0 && i < OVERLAYS_MAX; i++)
		if (i < q->app->replicas || i == OVERLAY_RESCUE)
			result = write_replica(r, &overlay, i);
	if (result < 0 && r->why.length == 0)
		text_add(&r->why, "cannot write the replicas' configuration: %s", strerror(-result));
	return result;
}

void settings_run(const void *query, int answer_fd)
{
	static int (*const steps[])(struct reading *) = {
		find_program,  read_info,  find_config,   read_dump,      read_settings,
		read_identity, read_pools, write_sources, write_overlays,
	};
	static struct settings_answer answer;
	struct reading reading = { .query = query, .answer = &answer, .why = TEXT(answer.why) };

	/* Or a static program would load the image's libc for the image's nsswitch.conf. */
	(void)__nss_configure_lookup("passwd", "files");
	(void)__nss_configure_lookup("group", "files");
	(void)__nss_configure_lookup("hosts", "files dns");
	answer.ok = true;
	for (size_t i = 0; answer.ok && i < ARRAY_SIZE(steps); i++)
		answer.ok = steps[i](&reading) >= 0;
	helper_answer(answer_fd, &answer, sizeof(answer));
}

static void end_text(char *text, size_t size)
{
	text[size - 1] = '\0';
}

bool settings_answer_check(struct settings_answer *answer, size_t size)
{
	struct fpm_settings *settings = &answer->settings;

	if (size != sizeof(*answer))
		return false;
	end_text(answer->why, sizeof(answer->why));
	end_text(answer->php_fpm, sizeof(answer->php_fpm));
	if (!answer->ok)
		return true;
	if (settings->pool_count < 1 || settings->pool_count > POOLS_MAX ||
	    answer->identity.group_count > IDENTITY_GROUPS_MAX)
		return false;
	for (unsigned i = 0; i < settings->pool_count; i++) {
		struct fpm_pool *pool = &settings->pools[i];

		end_text(pool->name, sizeof(pool->name));
		end_text(pool->listen, sizeof(pool->listen));
		end_text(pool->status_path, sizeof(pool->status_path));
	}
	return true;
}
