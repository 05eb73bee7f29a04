#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nss.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/load.h"
#include "confine/secrets.h"
#include "fpm/overlay.h"
#include "listen/address.h"
#include "process/helper.h"
#include "question/limits.h"
#include "question/program.h"
#include "question/reading.h"
#include "util/cgroup.h"
#include "util/cleanup.h"
#include "util/random.h"

void settings_prepend_name(const char *app, unsigned generation, const char *pool, char *to,
                           size_t size)
{
	struct text text = text_init(to, size);

	text_add(&text, "%s-%u-%s.php", app, generation, pool);
}

static const struct app_config *find_app(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->app_count; i++)
		if (strcmp(config->apps[i].name, name) == 0)
			return &config->apps[i];
	return NULL;
}

/* What only the start of the program reads stays as it was until then. */
static int read_config(struct reading *r)
{
	static struct config config;
	char error[CONFIG_ERROR_SIZE];
	const struct app_config *app = r->query->app;

	if (r->query->read_again) {
		if (config_load(r->query->config_file, environ, &config, error, NULL) < 0) {
			text_add(&r->why, "%s", error);
			return -EINVAL;
		}
		app = find_app(&config, app->name);
		if (!app) {
			text_add(&r->why,
			         "[app %s] is gone, which needs a restart of the container",
			         r->query->app->name);
			return -EINVAL;
		}
	}
	r->answer->app = *app;
	return 0;
}

static int look_at_limits(struct reading *r)
{
	r->answer->room = limits_look(CGROUP_ROOT, r->query->masters, r->query->master_count);
	return 0;
}

/* FPM's configuration may have ${NAME} of them. */
static int load_secrets(struct reading *r)
{
	int result = secrets_load(r->query->secrets, r->answer->why, sizeof(r->answer->why));

	if (result < 0)
		r->why.length = strlen(r->answer->why);
	return result;
}

static int resolve_release(struct reading *r)
{
	int result = release_resolve(r->answer->app.release, &r->release, r->answer->why,
	                             sizeof(r->answer->why));

	if (result < 0)
		r->why.length = strlen(r->answer->why);
	else
		text_copy_cut(r->answer->release, sizeof(r->answer->release), r->release.path);
	return result;
}

static int find_program(struct reading *r)
{
	const char *name = r->answer->app.php_fpm;
	struct settings_answer *answer = r->answer;

	if (program_find_fpm(name, answer->php_fpm, sizeof(answer->php_fpm)) >= 0)
		return 0;
	text_add(&r->why, "cannot find the PHP-FPM binary ");
	text_add_quoted(&r->why, name);
	text_add(&r->why, " in PATH or the sbin directories; install php-fpm or set php_fpm");
	return -ENOENT;
}

static bool config_in(struct reading *r, const char *directory)
{
	struct text text = TEXT(r->answer->fpm_config);

	text_add(&text, "%s/php-fpm.conf", directory);
	return access(r->answer->fpm_config, R_OK) == 0;
}

/*
 * FPM does not tell its default path without a complete test run, which needs its log files.
 * Debian and Alpine have it beside php.ini, the official images one directory up.
 */
static int find_config(struct reading *r)
{
	char directory[CONFIG_PATH_SIZE];
	const char *said = r->answer->app.fpm_config;

	if (said[0] != '\0') {
		if (text_copy(r->answer->fpm_config, sizeof(r->answer->fpm_config), said) &&
		    access(said, R_OK) == 0)
			return 0;
		text_add(&r->why, "cannot read fpm_config ");
		text_add_quoted(&r->why, said);
		text_add(&r->why, ": %s", strerror(errno));
		return -ENOENT;
	}
	if (fpm_info_value(r->info, "Configuration File (php.ini) Path", directory,
	                   sizeof(directory)) &&
	    directory[0] == '/') {
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

/* -tt would run opcache.preload, which is the site's code. */
static int begin_dump(struct reading *r, const char *config)
{
	const char *const argv[] = {
		r->answer->php_fpm, "-d", "opcache.enable=0", "-d", "opcache.preload=", "-tt", "-y",
		"/proc/self/fd/3",  NULL
	};
	int fd = memfd_create("wrapper", MFD_CLOEXEC);
	_cleanup_file_ FILE *wrapper = fd < 0 ? NULL : fdopen(fd, "w");
	int result = wrapper ? overlay_write_dump(wrapper, config) : -errno;

	if (result >= 0)
		result = program_begin(&r->dumping, argv, fd);
	if (result >= 0)
		text_copy_cut(r->dumped, sizeof(r->dumped), config);
	return result;
}

/*
 * -i says where the configuration is, unless the operator does; but it is where it was for the
 * active release, as good as always, and -tt takes as long as -i: so both run at once.  Where that
 * cannot be, read_dump() begins again and says why.
 */
static int begin_dump_early(struct reading *r)
{
	const char *said = r->answer->app.fpm_config, *config = said;

	if (!said[0] && r->query->active)
		config = r->query->active->fpm_config;
	if (config[0] && access(config, R_OK) == 0)
		(void)begin_dump(r, config);
	return 0;
}

static int read_dump(struct reading *r)
{
	char *output = NULL;
	int result = 0;

	if (r->dumped[0] && strcmp(r->dumped, r->answer->fpm_config) != 0) {
		program_abandon(&r->dumping);
		r->dumped[0] = '\0';
	}
	if (!r->dumped[0])
		result = begin_dump(r, r->answer->fpm_config);
	if (result >= 0)
		result = program_end(&r->dumping, &output);
	if (result >= 0)
		result = fpm_dump_parse(output, &r->dump);
	if (result < 0)
		text_add(&r->why, "cannot run php-fpm -tt: %s", child_trouble(result));
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

/* --- addresses --- */

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
		text_add(&r->why,
		         "; write a port, host:port or an absolute path that is not too long");
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

	for (unsigned i = 0; result >= 0 && i < settings->pool_count; i++)
		result = resolve_listen(r, &settings->pools[i]);
	return result;
}

int reading_ask_fpm(struct reading *r)
{
	static int (*const steps[])(struct reading *) = {
		find_program, begin_dump_early, fpm_info_read, fpm_info_try_opcache,
		find_config,  read_dump,        read_settings, read_pools,
	};
	int result = 0;

	for (size_t i = 0; result >= 0 && i < ARRAY_SIZE(steps); i++)
		result = steps[i](r);
	return result;
}

void settings_run(const void *query, int answer_fd)
{
	/* clang-format off */
	static int (*const steps[])(struct reading *) = {
		read_config,
		look_at_limits,
		load_secrets,
		resolve_release,
		reading_ask_fpm,
		logs_check,
		privileges_decide,
		program_copy,
		accounts_read_owners,
		replica_config_write_sources,
		replica_config_write,
	};
	/* clang-format on */
	static struct settings_answer answer;
	struct reading reading = { .query = query, .answer = &answer, .why = TEXT(answer.why) };

	/* Or a static program would load the image's libc for the image's nsswitch.conf. */
	(void)__nss_configure_lookup("hosts", "files dns");
	release_none(&reading.release);
	reading.random = random_number();
	answer = (struct settings_answer){ .ok = true };
	for (size_t i = 0; answer.ok && i < ARRAY_SIZE(steps); i++)
		answer.ok = steps[i](&reading) >= 0;
	helper_answer_with_fd(answer_fd, &answer, settings_answer_size(&answer),
	                      reading.release.fd);
}

size_t settings_answer_size(const struct settings_answer *answer)
{
	return offsetof(struct settings_answer, settings.pools) +
	       answer->settings.pool_count * sizeof(answer->settings.pools[0]);
}

static bool is_whole(const struct settings_answer *answer, size_t size)
{
	return size >= offsetof(struct settings_answer, settings.pools) &&
	       answer->settings.pool_count <= POOLS_MAX && size == settings_answer_size(answer);
}

static void end_text(char *text, size_t size)
{
	text[size - 1] = '\0';
}

static void end_app(struct app_config *app)
{
	end_text(app->name, sizeof(app->name));
	end_text(app->php_fpm, sizeof(app->php_fpm));
	end_text(app->fpm_config, sizeof(app->fpm_config));
	end_text(app->release, sizeof(app->release));
	end_text(app->docroot, sizeof(app->docroot));
	end_text(app->publish, sizeof(app->publish));
	end_text(app->health, sizeof(app->health));
	end_text(app->warm, sizeof(app->warm));
}

static void end_pool(struct fpm_pool *pool)
{
	end_text(pool->name, sizeof(pool->name));
	end_text(pool->listen, sizeof(pool->listen));
	end_text(pool->user, sizeof(pool->user));
	end_text(pool->group, sizeof(pool->group));
	end_text(pool->listen_owner, sizeof(pool->listen_owner));
	end_text(pool->listen_group, sizeof(pool->listen_group));
	end_text(pool->status_path, sizeof(pool->status_path));
}

/* Reading another byte as a bool is undefined. */
static bool is_bool(const bool *flag)
{
	unsigned char byte;

	memcpy(&byte, flag, sizeof(byte));
	return byte <= 1;
}

static bool app_fits(const struct app_config *app)
{
	return app->replicas >= 1 && app->replicas <= REPLICAS_MAX &&
	       (app->surge == SURGE_DEFAULT || app->surge <= app->replicas) &&
	       app->workers <= WORKERS_FULL && app->confine <= CONFINE_OFF &&
	       is_bool(&app->docroot_set) && is_bool(&app->read_only);
}

static bool pool_fits(const struct fpm_pool *pool)
{
	return pool->pm <= PM_ONDEMAND && is_bool(&pool->chrooted) && is_bool(&pool->has_priority);
}

static bool pools_fit(const struct fpm_settings *settings)
{
	if (settings->pool_count < 1)
		return false;
	for (unsigned i = 0; i < settings->pool_count; i++)
		if (!pool_fits(&settings->pools[i]))
			return false;
	return true;
}

/* Whatever somebody made the helper believe: who is not root gets no capability, and root just what
 * it takes to make workers of other users. */
static bool caps_fit(const struct settings_answer *answer)
{
	if (answer->identity.uid != 0)
		return answer->caps == 0;
	return (answer->caps & PRIVILEGES_LEAST) == PRIVILEGES_LEAST &&
	       (answer->caps & ~PRIVILEGES_MOST) == 0;
}

static bool identity_fits(const struct settings_answer *answer)
{
	return answer->identity.uid != (uid_t)-1 &&
	       answer->identity.group_count <= IDENTITY_GROUPS_MAX && caps_fit(answer) &&
	       is_bool(&answer->rlimits.has_priority) && is_bool(&answer->needs.ptrace) &&
	       is_bool(&answer->needs.chroot);
}

bool settings_answer_check(struct settings_answer *answer, size_t size)
{
	if (!is_whole(answer, size) || !is_bool(&answer->ok))
		return false;
	end_app(&answer->app);
	end_text(answer->why, sizeof(answer->why));
	end_text(answer->release, sizeof(answer->release));
	end_text(answer->php_fpm, sizeof(answer->php_fpm));
	end_text(answer->fpm_config, sizeof(answer->fpm_config));
	end_text(answer->preload, sizeof(answer->preload));
	for (unsigned i = 0; i < answer->settings.pool_count; i++)
		end_pool(&answer->settings.pools[i]);
	return !answer->ok ||
	       (is_bool(&answer->copied) && is_bool(&answer->copied_earlier) &&
	        app_fits(&answer->app) && pools_fit(&answer->settings) && identity_fits(answer));
}
