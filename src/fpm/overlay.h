/*
 * overlay.h - write the configuration a replica is started with: the operator's, and around it the
 * lines that override it.  Pure: text into a stream.
 *
 *     [www]                    path isolation's php_value, php_admin_value and env
 *     [global]
 *     include = <the operator's config>
 *     [global]
 *     daemonize, pid, error_log, process_control_timeout, emergency_restart_threshold
 *     [www]                    listen, pm.status_listen, pm.* split
 *     [twinit-www]             the probe pool: same user, env, php_value, php_admin_value
 *     [twinit-www-pages]       the same for health and warm-up, where the app has them
 *     [twinit-www-hand]        the same for what somebody asks by hand
 *
 * Where a plain directive is written twice FPM takes the last, so ours follow the include; of
 * php_value[x], php_admin_value[x] and env[x] it takes the first (measured), so ours precede it.
 *
 * FPM is not given the real path of any unix socket: it unlinks the path of an inherited socket
 * when it exits.  It gets decoy names below OVERLAY_DECOY, which nobody ever binds, and finds the
 * descriptors for them in FPM_SOCKETS.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "fpm/dump.h"
#include "fpm/settings.h"
#include "util/macros.h"

#define OVERLAY_DECOY     "/nonexistent/twinit"
#define OVERLAY_PING_PATH "/twinit-ping"

/* Path isolation for one pool; see release/pin.h. */
struct overlay_pin {
	const char *link;    /* the release symlink, absolute */
	const char *release; /* the directory it is fixed to, absolute and real */
	const char *docroot; /* below the release, e.g. "public"; may be "" */
	/* PHP runs a file of ours first, which runs the pool's own auto_prepend_file: this,
	 * followed by the pool's name and ".php" */
	const char *prepend;
};

struct overlay {
	const char *fpm_config; /* the operator's main config file */
	const char *pid_file;   /* instead of the operator's, if any; FPM makes and unlinks it */
	const char *error_log;  /* e.g. /proc/self/fd/2 */
	uint32_t process_control_timeout_ms; /* rounded up to seconds, at least 1 */
	const char *const *listen; /* per pool: what FPM shall call its address, see below */
	const struct fpm_settings *shares; /* the pools with this replica's share of workers */
	bool as_pool_user; /* FPM is started as the pools' user: user and group are not for it */
	bool pages; /* the first pool gets a pool for health and warm-up beside its probe pool */
	const struct overlay_pin *pin; /* NULL unless isolation is "path" */
};

/* The decoy names that FPM_SOCKETS must use; @to has LISTEN_SIZE bytes. */
void overlay_decoy_listen(const char *pool, char *to); /* for pools that listen on a unix path */
void overlay_decoy_status(const char *pool, char *to);
void overlay_decoy_probe(const char *pool, char *to);
void overlay_decoy_pages(const char *pool, char *to);
void overlay_decoy_hand(const char *pool, char *to);

/*
 * @value with every element of it (they are separated by ':') that is the link, or a path through
 * it, led to the release instead.  For settings that FPM takes on its command line only, such as
 * opcache.preload.
 *
 * Returns 0, or -ENAMETOOLONG when it does not fit in @size.
 */
MUST_CHECK int overlay_resolve(const struct overlay_pin *pin, const char *value, char *to,
                               size_t size);

/*
 * Write the whole overlay to @out.  @info is the output of `php-fpm -i`: php.ini's values, which
 * path isolation must rewrite where they begin with the link.
 *
 * With a pin each pool and probe pool gets doc_root, auto_prepend_file, and every php_value,
 * php_admin_value and env[] whose value has path elements that begin with the link (open_basedir
 * is a ':' list) with the link replaced by the release; open_basedir, where set, is extended by the
 * prepend file.  Values are written so that FPM's ini scanner reads exactly the same bytes back.
 * The probe pool lacks those that FPM printed only the beginning of (directive->cut).
 *
 * Returns 0, or -EINVAL and one sentence in @why when a value cannot be written (it has a line
 * break, is cut and has the link, is longer than 16 KB; a pool with chroot and a pin), or -EIO.
 */
MUST_CHECK int overlay_write(FILE *out, const struct overlay *overlay, const struct fpm_dump *dump,
                             const char *info, char *why, size_t why_size);

/*
 * Write the configuration for `php-fpm -tt` to @out: the operator's, told to print all (nothing is
 * printed with log_level above notice) and into no log, because passwords are among it.
 *
 * Returns 0, -EINVAL when @fpm_config has a line break, or -EIO.
 */
MUST_CHECK int overlay_write_dump(FILE *out, const char *fpm_config);
