#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fpm/overlay.h"
#include "listen/address.h"
#include "question/reading.h"
#include "session/store.h"
#include "util/cleanup.h"

enum { CONTROL_SLACK_MS = 30000 };

enum { SETTING_SIZE = 32 };

/* What a pool's PHP has for @setting, as text; too long is said and remembered in *@result. */
static void read_text(struct reading *r, const char *pool, const char *setting, char *to,
                      size_t size, int *result)
{
	int error =
		*result < 0 ? 0 : fpm_dump_php_setting(&r->dump, r->info, pool, setting, to, size);

	if (error < 0) {
		text_add(&r->why, "pool %s: %s is too long", pool, setting);
		*result = error;
	}
}

static int32_t read_number(struct reading *r, const char *pool, const char *setting, int *result)
{
	char value[SETTING_SIZE] = "";

	read_text(r, pool, setting, value, sizeof(value), result);
	long number = strtol(value, NULL, 10);
	return number > INT32_MAX ? INT32_MAX : number < INT32_MIN ? INT32_MIN : (int32_t)number;
}

static bool read_switch(struct reading *r, const char *pool, const char *setting, int *result)
{
	char value[SETTING_SIZE] = "";

	read_text(r, pool, setting, value, sizeof(value), result);
	return strtol(value, NULL, 10) != 0 || strcasecmp(value, "on") == 0 ||
	       strcasecmp(value, "yes") == 0 || strcasecmp(value, "true") == 0;
}

/* "Redis Version => 5.3.7"; 0 when the extension is not there. */
static uint32_t phpredis_version(const char *info)
{
	static const char key[] = "\nRedis Version => ";
	const char *at = strstr(info, key);

	return at ? (uint32_t)strtoul(at + strlen(key), NULL, 10) : 0;
}

static int read_source(struct reading *r, const struct fpm_pool *pool,
                       struct session_source *source)
{
	const char *name = pool->name;
	unsigned replicas = r->answer->app.workers == WORKERS_FULL ? r->answer->app.replicas : 1;
	int result = 0;

	*source = (struct session_source){
		.workers = pool->max_children * replicas,
		.phpredis = phpredis_version(r->info),
	};
	memcpy(source->pool, pool->name, sizeof(source->pool));
	read_text(r, name, "session.save_handler", source->handler, sizeof(source->handler),
	          &result);
	read_text(r, name, "session.save_path", source->save_path, sizeof(source->save_path),
	          &result);
	source->gc_maxlifetime_s =
		(uint32_t)read_number(r, name, "session.gc_maxlifetime", &result);
	source->lazy_write = read_switch(r, name, "session.lazy_write", &result);
	source->strict_mode = read_switch(r, name, "session.use_strict_mode", &result);
	source->early_refresh = read_switch(r, name, "redis.session.early_refresh", &result);
	source->locking = read_switch(r, name, "redis.session.locking_enabled", &result);
	source->lock_wait_us = read_number(r, name, "redis.session.lock_wait_time", &result);
	source->lock_retries = read_number(r, name, "redis.session.lock_retries", &result);
	source->lock_expire_s = read_number(r, name, "redis.session.lock_expire", &result);
	source->max_execution_s = read_number(r, name, "max_execution_time", &result);
	return result;
}

int replica_config_write_sources(struct reading *r)
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

/* The pool's own prepended file, which may lie in the release too. */
static int own_prepend(struct reading *r, const struct overlay_pin *pin, const char *pool, char *to,
                       size_t size)
{
	char said[CONFIG_PATH_SIZE];
	int result = fpm_dump_php_setting(&r->dump, r->info, pool, "auto_prepend_file", said,
	                                  sizeof(said));

	return result < 0 ? result : overlay_resolve(pin, said, to, size);
}

static int write_prepend(struct reading *r, const struct overlay_pin *pin, const char *pool)
{
	const struct settings_query *q = r->query;
	char name[NAME_SIZE + POOL_NAME_SIZE + 32], own[CONFIG_PATH_SIZE];

	settings_prepend_name(r->answer->app.name, q->generation, pool, name, sizeof(name));
	int result = own_prepend(r, pin, pool, own, sizeof(own));
	if (result < 0)
		return result;
	int fd = openat(q->pin_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	_cleanup_file_ FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out)
		return -errno;
	/* Readable for PHP whatever our umask is. */
	if (fchmod(fd, 0644) < 0)
		return -errno;
	return pin_write_prepend(out, r->answer->app.release, r->release.path,
	                         r->answer->app.docroot, own);
}

static int write_overlay(struct reading *r, const struct overlay *overlay, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
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
	const struct app_config *app = &r->answer->app;

	if (app->workers == WORKERS_FULL)
		return r->answer->settings;
	return fpm_settings_share(&r->answer->settings, app->replicas,
	                          index == OVERLAY_RESCUE ? 0 : index);
}

/* What FPM shall call the address of each pool. */
static int name_listeners(const struct fpm_settings *settings, char texts[POOLS_MAX][LISTEN_SIZE],
                          const char *names[POOLS_MAX])
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

static int write_prepends(struct reading *r, const struct overlay_pin *pin)
{
	const struct fpm_settings *settings = &r->answer->settings;
	int result = 0;

	for (unsigned i = 0; result >= 0 && i < settings->pool_count; i++)
		result = write_prepend(r, pin, settings->pools[i].name);
	return result;
}

/*
 * opcache.preload can only be set on the command line.  When it goes through the link the replica
 * is given the real path.
 */
static int resolve_preload(struct reading *r, const struct overlay_pin *pin)
{
	char said[CONFIG_PATH_SIZE];
	int result =
		fpm_dump_php_setting(&r->dump, r->info, "", "opcache.preload", said, sizeof(said));

	if (result >= 0)
		result = overlay_resolve(pin, said, r->answer->preload, sizeof(r->answer->preload));
	if (result >= 0 && strcmp(said, r->answer->preload) == 0)
		r->answer->preload[0] = '\0';
	return result;
}

static int write_replica(struct reading *r, const struct overlay *common, unsigned index)
{
	const struct settings_query *q = r->query;
	struct fpm_settings shares = shares_of(r, index);
	struct overlay overlay = *common;
	char pid_file[CONFIG_PATH_SIZE + NAME_SIZE + 64];
	struct text path = TEXT(pid_file);

	/* Other users' PHP may make files there too, so it must not be able to guess the name. */
	text_add(&path, "%s/pid/%s-%u-%u-%016" PRIx64, q->run_dir, r->answer->app.name,
	         q->generation, index, r->random);
	overlay.shares = &shares;
	overlay.pid_file = pid_file;
	return write_overlay(r, &overlay, q->overlays[index]);
}

int replica_config_write(struct reading *r)
{
	static char texts[POOLS_MAX][LISTEN_SIZE];
	const char *listen[POOLS_MAX];
	const struct settings_query *q = r->query;
	char prefix[CONFIG_PATH_SIZE + NAME_SIZE + 64];
	struct text prefix_text = TEXT(prefix);
	const struct overlay_pin pin = { r->answer->app.release, r->release.path,
		                         r->answer->app.docroot, prefix };
	const struct overlay overlay = {
		.fpm_config = r->answer->fpm_config,
		.error_log = "/proc/self/fd/2",
		.as_pool_user = r->answer->identity.uid != 0,
		/* Longer than we wait for it ourselves, so that only we decide when to be rude. */
		.process_control_timeout_ms = r->answer->app.drain_timeout_ms + CONTROL_SLACK_MS,
		.listen = listen,
		.pages = config_has_pages(&r->answer->app),
		.pin = q->pin == PIN_PATH ? &pin : NULL,
	};
	int result = name_listeners(&r->answer->settings, texts, listen);

	text_add(&prefix_text, "%s/pin/%s-%u-", q->run_dir, r->answer->app.name, q->generation);
	if (result >= 0 && overlay.pin)
		result = write_prepends(r, &pin);
	if (result >= 0 && overlay.pin)
		result = resolve_preload(r, &pin);
	for (unsigned i = 0; result >= 0 && i < OVERLAYS_MAX; i++)
		if (i < r->answer->app.replicas || i == OVERLAY_RESCUE)
			result = write_replica(r, &overlay, i);
	if (result < 0 && r->why.length == 0)
		text_add(&r->why, "cannot write the replicas' configuration: %s",
		         strerror(-result));
	return result;
}
