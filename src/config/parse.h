/* parse.h - one key and its value into the configuration.  Pure; fuzzed. */
#pragma once

#include "config/config.h"
#include "util/macros.h"

/* Fill *@config with the defaults of [twinit] and [sessions], and no app. */
void config_init(struct config *config);

/*
 * Find the app @name, or add it with the defaults of [app].
 *
 * Returns it, or NULL when there are APPS_MAX already or the name is empty, too long, "all", begins
 * with '-' or '.', or has other characters than letters, digits, '-', '_' and '.'.
 */
struct app_config *config_app(struct config *config, const char *name);

/*
 * Set @key of @section ("twinit", "sessions" or "app NAME") to @value.
 *
 * Returns 0, or -EINVAL and one sentence in @why: what is wrong with the section, the key (with
 * the nearest valid key) or the value (with what is valid).  *@config is then as it was, but for
 * an app that was added.
 */
MUST_CHECK int config_set(struct config *config, const char *section, const char *key,
                          const char *value, char *why, size_t why_size);

/* Of config_set_from_env(): the value is a template that nobody filled in ("{{.Task.Slot}}"). */
enum { CONFIG_TEMPLATE = 1 };

/*
 * Set what the environment variable @name (e.g. TWINIT_SESSIONS_WAIT) says.  TWINIT_APP_<KEY> is
 * for the only app, "www" when there is none yet; with more than one it is an error.  A value that
 * is empty, or a template, counts as not set.
 *
 * Returns 0; CONFIG_TEMPLATE; -ENOENT when the name does not begin with TWINIT_ or is no key of
 * ours (which is not an error: Kubernetes injects such names); -EINVAL and one sentence in @why for
 * a bad value.
 */
MUST_CHECK int config_set_from_env(struct config *config, const char *name, const char *value,
                                   char *why, size_t why_size);

/*
 * "30s", "250ms", "2m" or "1h"; a bare number is refused.
 *
 * Returns 0, -EINVAL, or -ERANGE for more than UINT32_MAX milliseconds.
 */
MUST_CHECK int parse_duration(const char *text, uint32_t *milliseconds);

/*
 * What no single key can tell: surge above replicas, timeouts of 0 that must not be, publish or
 * read_only without release, linger with surge = 0, isolation = path without docroot, a run_dir
 * that leaves no room for the control socket's name.
 *
 * Returns 0, or -EINVAL and one sentence that names the key in @why.
 */
MUST_CHECK int config_check(const struct config *config, char *why, size_t why_size);
