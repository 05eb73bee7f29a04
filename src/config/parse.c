#include "config/parse.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "config/option.h"
#include "util/text.h"

#define BLANKS " \t"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define ENV_PREFIX      "TWINIT_"
#define SESSIONS_PREFIX "SESSIONS_"
#define APP_PREFIX      "APP_"

/* Where a section's values go. */
struct target {
	enum option_kind kind;
	void *base;
	char name[NAME_SIZE + sizeof("app ")];
};

static const struct app_config app_defaults = {
	.php_fpm = "php-fpm",
	.replicas = 2,
	.surge = SURGE_DEFAULT,
	.workers = WORKERS_SPLIT,
	.confine = CONFINE_STANDARD,
	.docroot = "public",
	.start_timeout_ms = 30 * 1000,
	.drain_timeout_ms = 30 * 1000,
	.linger_ms = 0,
	.quiet_ms = 1000,
	.stop_timeout_ms = 8 * 1000,
};

/* An app's place is written when it is made: most are never touched, and cost no memory. */
void config_init(struct config *config)
{
	memset(config, 0, offsetof(struct config, apps));
	(void)!text_copy(config->run_dir, sizeof(config->run_dir), "/run/twinit");
	config->isolation = ISOLATION_AUTO;
	config->log_format = LOG_FORMAT_TEXT;
	config->sessions = (struct session_config){
		.verify = VERIFY_AUTO,
		.fail_health = FAIL_HEALTH_BOOT,
		.wait_ms = 30 * 1000,
		.every_ms = 10 * 1000,
	};
}

/* Names go into paths, and beside "all" on the command line. */
static bool is_name(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length < NAME_SIZE && !strchr("-.", name[0]) &&
	       strcmp(name, "all") != 0 && strspn(name, LOWER UPPER DIGITS "-_.") == length;
}

struct app_config *config_app(struct config *config, const char *name)
{
	if (!is_name(name))
		return NULL;
	for (size_t i = 0; i < config->app_count; i++)
		if (strcmp(config->apps[i].name, name) == 0)
			return &config->apps[i];
	if (config->app_count == APPS_MAX)
		return NULL;

	struct app_config *app = &config->apps[config->app_count++];
	*app = app_defaults;
	memcpy(app->name, name, strlen(name) + 1);
	return app;
}

static int unknown_key(const struct target *target, const char *key, struct text *why)
{
	const char *nearest = option_nearest(target->kind, key);
	const char *elsewhere = option_section(key);

	text_add(why, "unknown key ");
	text_add_quoted(why, key);
	text_add(why, " in [%s]", target->name);
	if (elsewhere)
		text_add(why, "; it belongs in %s", elsewhere);
	else if (nearest)
		text_add(why, "; did you mean '%s'?", nearest);
	else
		option_list(target->kind, why);
	return -EINVAL;
}

static int target_app(struct config *config, const char *name, struct target *target,
                      struct text *why)
{
	struct app_config *app = config_app(config, name);

	if (!app) {
		text_add(why, "[app] with the name ");
		text_add_quoted(why, name);
		if (is_name(name))
			text_add(why, " is one too many; %d are possible", APPS_MAX);
		else
			text_add(why,
			         " is not possible; write letters and digits, as in [app www]");
		return -EINVAL;
	}
	target->kind = OPTION_APP;
	target->base = app;
	struct text label = TEXT(target->name);
	text_add(&label, "app %s", app->name);
	return 0;
}

static int find_target(struct config *config, const char *section, struct target *target,
                       struct text *why)
{
	if (strcmp(section, "twinit") == 0) {
		*target = (struct target){ OPTION_TWINIT, config, "twinit" };
		return 0;
	}
	if (strcmp(section, "sessions") == 0) {
		*target = (struct target){ OPTION_SESSIONS, &config->sessions, "sessions" };
		return 0;
	}
	if (text_begins(section, "app") && strchr(BLANKS, section[3])) {
		const char *name = section + 3;

		return target_app(config, name + strspn(name, BLANKS), target, why);
	}
	text_add(why, *section ? "unknown section " : "a key before any section");
	if (*section)
		text_add_quoted(why, section);
	text_add(why, "; valid are [twinit], [sessions] and [app NAME]");
	return -EINVAL;
}

int config_set(struct config *config, const char *section, const char *key, const char *value,
               char *why, size_t why_size)
{
	struct text sentence = text_init(why, why_size);
	struct target target;

	int r = find_target(config, section, &target, &sentence);
	if (r < 0)
		return r;

	const struct option *option = option_find(target.kind, key);
	if (!option)
		return unknown_key(&target, key, &sentence);
	text_add(&sentence, "%s: ", key);
	return option_set(option, target.base, value, &sentence);
}

/* "WAIT" as "wait".  False when it is longer than any key. */
static bool lower(const char *name, char key[OPTION_KEY_SIZE])
{
	size_t i = 0;

	for (; i < OPTION_KEY_SIZE - 1 && name[i]; i++) {
		const char *letter = strchr(UPPER, name[i]);

		if (strchr(LOWER, name[i]))
			return false;
		key[i] = (char)(letter ? LOWER[letter - UPPER] : name[i]);
	}
	key[i] = '\0';
	return name[i] == '\0';
}

static const struct option *find_variable(const char *name)
{
	char key[OPTION_KEY_SIZE];
	enum option_kind kind = OPTION_TWINIT;

	if (!text_begins(name, ENV_PREFIX))
		return NULL;
	name += strlen(ENV_PREFIX);
	if (text_begins(name, SESSIONS_PREFIX)) {
		kind = OPTION_SESSIONS;
		name += strlen(SESSIONS_PREFIX);
	} else if (text_begins(name, APP_PREFIX)) {
		kind = OPTION_APP;
		name += strlen(APP_PREFIX);
	}
	return lower(name, key) ? option_find(kind, key) : NULL;
}

/* The app that TWINIT_APP_ speaks of, or NULL. */
static struct app_config *only_app(struct config *config)
{
	if (config->app_count == 0)
		return config_app(config, "www");
	return config->app_count == 1 ? &config->apps[0] : NULL;
}

static void *base_of(struct config *config, enum option_kind kind)
{
	if (kind == OPTION_TWINIT)
		return config;
	return kind == OPTION_SESSIONS ? (void *)&config->sessions : (void *)only_app(config);
}

int config_set_from_env(struct config *config, const char *name, const char *value, char *why,
                        size_t why_size)
{
	struct text sentence = text_init(why, why_size);
	const struct option *option = find_variable(name);

	if (!option)
		return -ENOENT;
	if (*value == '\0')
		return 0;
	/* "{{.Task.Slot}}" is left over where nobody filled a template in (compose, not swarm) */
	if (strstr(value, "{{"))
		return CONFIG_TEMPLATE;

	void *base = base_of(config, option->kind);
	if (!base) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): an app is missing */
		size_t count = config->app_count;

		text_add(&sentence, "%s: there are %zu apps; set %s in the file, in [app NAME]",
		         name, count, option->key);
		return -EINVAL;
	}
	text_add(&sentence, "%s: ", name);
	return option_set(option, base, value, &sentence);
}

static bool positive(const char *where, const char *key, uint32_t milliseconds, struct text *why)
{
	if (milliseconds == 0)
		text_add(why, "%s: %s must be more than 0s", where, key);
	return milliseconds > 0;
}

static bool surge_above_replicas(const struct config *config, const struct app_config *app)
{
	(void)config;
	return app->surge != SURGE_DEFAULT && app->surge > app->replicas;
}

static bool linger_without_surge(const struct config *config, const struct app_config *app)
{
	(void)config;
	return app->surge < app->replicas && app->linger_ms > 0;
}

static bool publish_without_release(const struct config *config, const struct app_config *app)
{
	(void)config;
	return app->publish[0] && !app->release[0];
}

static bool read_only_without_release(const struct config *config, const struct app_config *app)
{
	(void)config;
	return app->read_only && !app->release[0];
}

static bool path_without_docroot(const struct config *config, const struct app_config *app)
{
	return config->isolation == ISOLATION_PATH && app->release[0] && !app->docroot_set;
}

static bool docroot_outside_release(const struct config *config, const struct app_config *app)
{
	(void)config;
	return app->docroot[0] == '/' && app->release[0];
}

static bool scripts_without_docroot(const struct config *config, const struct app_config *app)
{
	(void)config;
	return (app->health[0] || app->warm[0]) && !app->release[0] && app->docroot[0] != '/';
}

static const struct rule {
	bool (*broken)(const struct config *config, const struct app_config *app);
	const char *says;
} rules[] = {
	{ surge_above_replicas, "surge is more than replicas" },
	{ linger_without_surge, "linger keeps all old replicas beside the new ones, so surge must "
	                        "be replicas; leave one of the two out" },
	{ publish_without_release, "publish needs release" },
	{ read_only_without_release, "read_only needs release" },
	{ path_without_docroot, "isolation = path needs docroot, e.g. docroot = public" },
	{ docroot_outside_release, "docroot is absolute; write it relative to the release" },
	{ scripts_without_docroot,
	  "health and warm are looked for below docroot; where the code is in "
	  "the image, make that absolute, e.g. docroot = /var/www/html" },
};

static bool check_app(const struct config *config, const struct app_config *app, struct text *why)
{
	char where[NAME_SIZE + sizeof("[app ]")];
	struct text label = TEXT(where);

	text_add(&label, "[app %s]", app->name);
	if (!positive(where, "start_timeout", app->start_timeout_ms, why) ||
	    !positive(where, "drain_timeout", app->drain_timeout_ms, why) ||
	    !positive(where, "stop_timeout", app->stop_timeout_ms, why))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (rules[i].broken(config, app)) {
			text_add(why, "%s: %s", where, rules[i].says);
			return false;
		}
	}
	return true;
}

/* The control socket's address must fit in sockaddr_un. */
static bool check_run_dir(const struct config *config, struct text *why)
{
	enum { LONGEST = sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof("/control") };

	if (strlen(config->run_dir) > LONGEST)
		text_add(why, "[twinit]: run_dir is longer than %d bytes", LONGEST);
	return why->length == 0;
}

int config_check(const struct config *config, char *why, size_t why_size)
{
	struct text sentence = text_init(why, why_size);

	if (!check_run_dir(config, &sentence) ||
	    !positive("[sessions]", "every", config->sessions.every_ms, &sentence))
		return -EINVAL;
	for (size_t i = 0; i < config->app_count; i++)
		if (!check_app(config, &config->apps[i], &sentence))
			return -EINVAL;
	return 0;
}
