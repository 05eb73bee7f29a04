#include "fpm/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fpm/overlay_values.h"
#include "util/text.h"

enum {
	PRIVATE_WORKERS = 4, /* of each pool of ours */
	STATUS_WORKERS = 2,  /* that FPM gives pm.status_listen */
};

static void decoy(const char *pool, const char *what, char *to)
{
	struct text name = text_init(to, LISTEN_SIZE);

	text_add(&name, "%s/%s.%s", OVERLAY_DECOY, pool, what);
}

void overlay_decoy_listen(const char *pool, char *to)
{
	decoy(pool, "listen", to);
}

void overlay_decoy_status(const char *pool, char *to)
{
	decoy(pool, "status", to);
}

void overlay_decoy_probe(const char *pool, char *to)
{
	decoy(pool, "probe", to);
}

void overlay_decoy_pages(const char *pool, char *to)
{
	decoy(pool, "pages", to);
}

void overlay_decoy_hand(const char *pool, char *to)
{
	decoy(pool, "hand", to);
}

static void put_section(struct overlay_writer *writer, const char *name)
{
	fprintf(writer->out, "[%s]\n", name);
}

/* Of two lines that set the same php_value FPM takes the first, so these go before the include. */
static int put_pins(struct overlay_writer *writer)
{
	const struct fpm_settings *shares = writer->overlay->shares;

	for (unsigned i = 0; i < shares->pool_count; i++) {
		const struct fpm_pool *pool = &shares->pools[i];

		if (pool->chrooted)
			return overlay_refuse(writer, pool->name, "chroot",
			                      "and isolation = path do not go together");
		put_section(writer, pool->name);
		int r = overlay_put_pin(writer, pool->name);
		if (r < 0)
			return r;
		r = overlay_put_copies(writer, pool->name, true);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The operator's config, with no section open around it or behind it. */
static int put_include(struct overlay_writer *writer, const char *fpm_config)
{
	put_section(writer, "global");
	int r = overlay_put(writer, "global", "include", fpm_config);
	if (r < 0)
		return r;
	put_section(writer, "global");
	return 0;
}

/* process.max counts the workers of our own pools too. */
static void put_process_max(struct overlay_writer *writer)
{
	const struct fpm_settings *shares = writer->overlay->shares;

	if (shares->process_max > 0)
		fprintf(writer->out, "process.max = %u\n",
		        shares->process_max +
		                (PRIVATE_WORKERS + STATUS_WORKERS) * shares->pool_count +
		                PRIVATE_WORKERS + (writer->overlay->pages ? PRIVATE_WORKERS : 0));
}

/* FPM knows no way to take a pid file back, so there is one only where the operator wants one. */
static int put_pid(struct overlay_writer *writer)
{
	if (fpm_dump_get(writer->dump, "global", "pid")[0] == '\0')
		return 0;
	return overlay_put(writer, "global", "pid", writer->overlay->pid_file);
}

static int put_global(struct overlay_writer *writer)
{
	const struct overlay *overlay = writer->overlay;
	unsigned seconds = overlay->process_control_timeout_ms / 1000 +
	                   (overlay->process_control_timeout_ms % 1000 > 0);

	int r = put_include(writer, overlay->fpm_config);
	if (r < 0)
		return r;
	fprintf(writer->out,
	        "daemonize = no\n"
	        "emergency_restart_threshold = 0\n"
	        "process_control_timeout = %us\n",
	        seconds > 0 ? seconds : 1);
	put_process_max(writer);
	r = put_pid(writer);
	if (r < 0)
		return r;
	return overlay_put(writer, "global", "error_log", overlay->error_log);
}

static void put_workers(struct overlay_writer *writer, const struct fpm_pool *share)
{
	fprintf(writer->out, "pm.max_children = %u\n", share->max_children);
	if (share->pm != PM_DYNAMIC)
		return;
	fprintf(writer->out,
	        "pm.start_servers = %u\n"
	        "pm.min_spare_servers = %u\n"
	        "pm.max_spare_servers = %u\n",
	        share->start_servers, share->min_spare_servers, share->max_spare_servers);
}

/* Without a value FPM does not say twice for each pool that it ignores it. */
static void put_no_user(struct overlay_writer *writer)
{
	fputs("user = \"\"\ngroup = \"\"\n", writer->out);
}

static int put_real_pool(struct overlay_writer *writer, const struct fpm_pool *share,
                         const char *listen)
{
	char status[LISTEN_SIZE];

	overlay_decoy_status(share->name, status);
	put_section(writer, share->name);
	put_workers(writer, share);
	if (writer->overlay->as_pool_user)
		put_no_user(writer);
	int r = overlay_put(writer, share->name, "listen", listen);
	if (r < 0)
		return r;
	r = overlay_put(writer, share->name, "pm.status_listen", status);
	if (r < 0)
		return r;
	return writer->overlay->pin ? overlay_put_same(writer, share->name, "chdir") : 0;
}

/* FPM reads yes and no only without quotes. */
static void put_switch(struct overlay_writer *writer, const char *pool, const char *key)
{
	const char *value = fpm_dump_get(writer->dump, pool, key);

	if (*value)
		fprintf(writer->out, "%s = %s\n", key, strcmp(value, "yes") == 0 ? "yes" : "no");
}

static int put_same(struct overlay_writer *writer, const char *pool, const char *const keys[],
                    size_t count)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++)
		r = overlay_put_same(writer, pool, keys[i]);
	return r;
}

static int put_user(struct overlay_writer *writer, const char *pool)
{
	static const char *const accounts[] = { "user", "group" };

	if (!writer->overlay->as_pool_user)
		return put_same(writer, pool, accounts, ARRAY_SIZE(accounts));
	put_no_user(writer);
	return 0;
}

static int put_probe_options(struct overlay_writer *writer, const char *pool)
{
	static const char *const switches[] = {
		"clear_env",
		"catch_workers_output",
		"decorate_workers_output",
		"process.dumpable",
		"request_terminate_timeout_track_finished",
	};
	static const char *const texts[] = {
		"chroot",
		"chdir",
		"request_terminate_timeout",
		"apparmor_hat",
	};

	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		put_switch(writer, pool, switches[i]);
	int r = put_user(writer, pool);
	if (r >= 0)
		r = put_same(writer, pool, texts, ARRAY_SIZE(texts));
	if (r < 0)
		return r;
	/* here an empty value means something: all extensions */
	return overlay_put(writer, pool, "security.limit_extensions",
	                   fpm_dump_get(writer->dump, pool, "security.limit_extensions"));
}

/* A pool of ours beside @pool: @suffix is of its name, @own are lines that only it has. */
static int put_private_pool(struct overlay_writer *writer, const char *pool, const char *suffix,
                            const char *own, const char *listen)
{
	fprintf(writer->out,
	        "[twinit-%s%s]\n"
	        "pm = ondemand\n"
	        "pm.max_children = %d\n"
	        "pm.process_idle_timeout = 10s\n"
	        "%s",
	        pool, suffix, PRIVATE_WORKERS, own);
	int r = overlay_put(writer, pool, "listen", listen);
	if (r < 0)
		return r;
	r = put_probe_options(writer, pool);
	if (r < 0)
		return r;
	r = writer->overlay->pin ? overlay_put_pin(writer, pool) : 0;
	if (r < 0)
		return r;
	return overlay_put_copies(writer, pool, false);
}

/*
 * What PHP_ADMIN_VALUE sets stays until a worker ends, so nothing but the script that needs it may
 * run here; a ping runs none.  Workers stay for the next question: to make and end one takes FPM
 * some milliseconds, and after a last request it makes one more, for nobody.
 */
static int put_probe_pool(struct overlay_writer *writer, const char *pool)
{
	char listen[LISTEN_SIZE];

	overlay_decoy_probe(pool, listen);
	return put_private_pool(writer, pool, "", "ping.path = " OVERLAY_PING_PATH "\n", listen);
}

/* Here one worker runs many pages: where all leave at once, FPM forks the next a second later. */
static int put_page_pool(struct overlay_writer *writer, const char *pool)
{
	char listen[LISTEN_SIZE];

	overlay_decoy_pages(pool, listen);
	return put_private_pool(writer, pool, "-pages", "", listen);
}

/* Each worker serves one request: what somebody sets by hand is for nobody else. */
static int put_hand_pool(struct overlay_writer *writer, const char *pool)
{
	char listen[LISTEN_SIZE];

	overlay_decoy_hand(pool, listen);
	return put_private_pool(writer, pool, "-hand",
	                        "pm.max_requests = 1\n"
	                        "ping.path = " OVERLAY_PING_PATH "\n",
	                        listen);
}

static int put_pools(struct overlay_writer *writer)
{
	const struct fpm_settings *shares = writer->overlay->shares;

	for (unsigned i = 0; i < shares->pool_count; i++) {
		const struct fpm_pool *share = &shares->pools[i];

		int r = put_real_pool(writer, share, writer->overlay->listen[i]);
		if (r < 0)
			return r;
		r = put_probe_pool(writer, share->name);
		if (r >= 0 && i == 0 && writer->overlay->pages)
			r = put_page_pool(writer, share->name);
		if (r >= 0 && i == 0)
			r = put_hand_pool(writer, share->name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int finish(FILE *out)
{
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}

int overlay_write(FILE *out, const struct overlay *overlay, const struct fpm_dump *dump,
                  const char *info, char *why, size_t why_size)
{
	struct text sentence = text_init(why, why_size);
	struct overlay_writer writer = {
		.out = out,
		.overlay = overlay,
		.dump = dump,
		.info = info,
		.why = &sentence,
	};

	int r = overlay->pin ? put_pins(&writer) : 0;
	if (r < 0)
		return r;
	r = put_global(&writer);
	if (r < 0)
		return r;
	r = put_pools(&writer);
	return r < 0 ? r : finish(out);
}

int overlay_write_dump(FILE *out, const char *fpm_config)
{
	char why[1];
	struct text sentence = TEXT(why);
	struct overlay_writer writer = { .out = out, .why = &sentence };

	int r = put_include(&writer, fpm_config);
	if (r < 0)
		return r;
	fputs("error_log = /dev/null\n"
	      "log_level = notice\n",
	      out);
	return finish(out);
}
