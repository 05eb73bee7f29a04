#include "config/option.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/parse.h"
#include "util/text.h"

#define BLANKS " \t"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

enum { DISTANCE_MAX = 3 };

int parse_duration(const char *text, uint32_t *milliseconds)
{
	static const struct {
		const char *unit;
		unsigned long scale;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 60 * 60 * 1000 } };
	char *unit;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	unsigned long value = strtoul(text, &unit, 10);
	if (errno != 0)
		return -ERANGE;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(units[i].unit, unit) != 0)
			continue;
		if (value > UINT32_MAX / units[i].scale)
			return -ERANGE;
		*milliseconds = (uint32_t)(value * units[i].scale);
		return 0;
	}
	return -EINVAL;
}

static int refuse(struct text *why, const char *value, const char *cause)
{
	text_add_quoted(why, value);
	text_add(why, " %s", cause);
	return -EINVAL;
}

static int explain_duration(int error, const char *value, struct text *why)
{
	if (error == -ERANGE)
		return refuse(why, value, "is too long; the longest is 1193h");
	if (*value == '\0' || value[strspn(value, DIGITS)] != '\0')
		return refuse(why, value, "is no duration; write it like 30s, 250ms, 2m or 1h");
	refuse(why, value, "has no unit");
	text_add(why, "; write %ss or %s%s", value, value,
	         strspn(value, "0") == strlen(value) ? "ms" : "000ms");
	return -EINVAL;
}

static int duration(const struct option *option, const char *value, void *field, struct text *why)
{
	int r = parse_duration(value, field);

	(void)option;
	return r < 0 ? explain_duration(r, value, why) : 0;
}

static int word(const struct option *option, const char *value, void *field, struct text *why)
{
	for (unsigned i = 0; option->words[i]; i++) {
		if (strcmp(option->words[i], value) == 0) {
			*(unsigned *)field = i;
			return 0;
		}
	}
	refuse(why, value, "is not one of ");
	for (size_t i = 0; option->words[i]; i++)
		text_add(why, "%s%s", i > 0 ? ", " : "", option->words[i]);
	return -EINVAL;
}

static int yes_or_no(const struct option *option, const char *value, void *field, struct text *why)
{
	bool yes = strcmp(value, "yes") == 0;

	(void)option;
	if (!yes && strcmp(value, "no") != 0)
		return refuse(why, value, "is neither yes nor no");
	*(bool *)field = yes;
	return 0;
}

/* One digit is enough for as long as it is. */
_Static_assert(REPLICAS_MAX < 10, "a number of replicas has one digit");

static int number(const char *value, unsigned lowest, unsigned *field, struct text *why)
{
	if (value[0] < '0' + (int)lowest || value[0] > '0' + REPLICAS_MAX || value[1] != '\0') {
		refuse(why, value, "is no number");
		text_add(why, " from %u to %u", lowest, REPLICAS_MAX);
		return -EINVAL;
	}
	*field = (unsigned)(value[0] - '0');
	return 0;
}

static int replicas(const struct option *option, const char *value, void *field, struct text *why)
{
	(void)option;
	return number(value, 1, field, why);
}

static int surge(const struct option *option, const char *value, void *field, struct text *why)
{
	(void)option;
	if (*value == '\0') {
		*(unsigned *)field = SURGE_DEFAULT;
		return 0;
	}
	return number(value, 0, field, why);
}

static int any_text(const struct option *option, const char *value, void *field, struct text *why)
{
	if (strlen(value) >= option->size) {
		text_add(why, "is longer than %zu bytes", option->size - 1);
		return -EINVAL;
	}
	memcpy(field, value, strlen(value) + 1);
	return 0;
}

static int some_text(const struct option *option, const char *value, void *field, struct text *why)
{
	if (*value == '\0') {
		text_add(why, "must not be empty");
		return -EINVAL;
	}
	return any_text(option, value, field, why);
}

static int absolute(const struct option *option, const char *value, void *field, struct text *why)
{
	if (*value != '\0' && *value != '/')
		return refuse(why, value, "is not absolute; begin with /");
	return any_text(option, value, field, why);
}

static bool climbs(const char *path)
{
	for (; *path; path += strspn(path, "/")) {
		size_t length = strcspn(path, "/");

		if (length == 2 && path[0] == '.' && path[1] == '.')
			return true;
		path += length;
	}
	return false;
}

/* Whether it is relative to a release or absolute, because there is none, config_check() sees. */
static int docroot(const struct option *option, const char *value, void *field, struct text *why)
{
	if (climbs(value))
		return refuse(why, value, "has '..'; name a directory below the release");
	return any_text(option, value, field, why);
}

/* Each entry of a list of scripts begins with '/', as in SCRIPT_NAME. */
static int scripts(const struct option *option, const char *value, void *field, struct text *why)
{
	const char *entry = value + strspn(value, BLANKS);

	for (; *entry; entry += strspn(entry, BLANKS)) {
		if (*entry != '/')
			return refuse(why, entry, "does not begin with /");
		entry += strcspn(entry, BLANKS);
	}
	return any_text(option, value, field, why);
}

static int script(const struct option *option, const char *value, void *field, struct text *why)
{
	if (value[strcspn(value, BLANKS)] != '\0')
		return refuse(why, value, "is more than one script");
	return scripts(option, value, field, why);
}

static int variables(const struct option *option, const char *value, void *field, struct text *why)
{
	const char *bad = value + strspn(value, LOWER UPPER DIGITS "_" BLANKS);

	if (*bad != '\0')
		return refuse(why, value, "is no list of environment variables");
	return any_text(option, value, field, why);
}

static int host_name(const struct option *option, const char *value, void *field, struct text *why)
{
	if (value[strspn(value, LOWER UPPER DIGITS "-_.")] != '\0')
		return refuse(why, value,
		              "is no name of a service; write it as in DNS, without tasks.");
	return any_text(option, value, field, why);
}

static const char *const log_format_words[] = { "text", "json", NULL };
static const char *const fail_health_words[] = { "boot", "always", "never", NULL };
static const char *const workers_words[] = { "split", "full", NULL };
static const char *const confine_words[] = { "standard", "strict", "off", NULL };

_Static_assert(sizeof(enum isolation) == sizeof(unsigned), "word() writes an unsigned");

#define FIELD(type, member)                                                                        \
	.offset = offsetof(struct type, member), .size = sizeof(((struct type *)NULL)->member)
#define TWINIT(member)   FIELD(config, member)
#define SESSIONS(member) FIELD(session_config, member)
#define APP(member)      FIELD(app_config, member)

/* clang-format off */
static const struct option options[] = {
	{ OPTION_TWINIT,   "run_dir",       some_text, TWINIT(run_dir), .said = offsetof(struct config, run_dir_set) },
	{ OPTION_TWINIT,   "isolation",     word,      TWINIT(isolation), .words = isolation_words },
	{ OPTION_TWINIT,   "secrets",       variables, TWINIT(secrets) },
	{ OPTION_TWINIT,   "log_format",    word,      TWINIT(log_format), .words = log_format_words },
	{ OPTION_TWINIT,   "on_event",      absolute,  TWINIT(on_event) },
	{ OPTION_SESSIONS, "verify",        word,      SESSIONS(verify), .words = verify_words },
	{ OPTION_SESSIONS, "fail_health",   word,      SESSIONS(fail_health), .words = fail_health_words },
	{ OPTION_SESSIONS, "wait",          duration,  SESSIONS(wait_ms) },
	{ OPTION_SESSIONS, "every",         duration,  SESSIONS(every_ms) },
	{ OPTION_SESSIONS, "service",       host_name, SESSIONS(service) },
	{ OPTION_APP,      "php_fpm",       some_text, APP(php_fpm) },
	{ OPTION_APP,      "fpm_config",    absolute,  APP(fpm_config) },
	{ OPTION_APP,      "replicas",      replicas,  APP(replicas) },
	{ OPTION_APP,      "surge",         surge,     APP(surge) },
	{ OPTION_APP,      "workers",       word,      APP(workers), .words = workers_words },
	{ OPTION_APP,      "confine",       word,      APP(confine), .words = confine_words },
	{ OPTION_APP,      "release",       absolute,  APP(release) },
	{ OPTION_APP,      "docroot",       docroot,   APP(docroot), .said = offsetof(struct app_config, docroot_set) },
	{ OPTION_APP,      "read_only",     yes_or_no, APP(read_only) },
	{ OPTION_APP,      "publish",       absolute,  APP(publish) },
	{ OPTION_APP,      "health",        script,    APP(health) },
	{ OPTION_APP,      "warm",          scripts,   APP(warm) },
	{ OPTION_APP,      "start_timeout", duration,  APP(start_timeout_ms) },
	{ OPTION_APP,      "drain_timeout", duration,  APP(drain_timeout_ms) },
	{ OPTION_APP,      "linger",        duration,  APP(linger_ms) },
	{ OPTION_APP,      "quiet",         duration,  APP(quiet_ms) },
	{ OPTION_APP,      "stop_timeout",  duration,  APP(stop_timeout_ms) },
};
/* clang-format on */

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned smaller = a < b ? a : b;

	return smaller < c ? smaller : c;
}

/* How many letters to change, add or leave out to make @b of @a (Levenshtein), one row at a time.
 */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[OPTION_KEY_SIZE];
	size_t width = strlen(b);

	assert(width < OPTION_KEY_SIZE);
	for (unsigned j = 0; j <= width; j++)
		row[j] = j;
	for (unsigned i = 0; a[i]; i++) {
		unsigned diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 1; j <= width; j++) {
			unsigned above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[width];
}

const struct option *option_find(enum option_kind kind, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].kind == kind && strcmp(options[i].key, key) == 0)
			return &options[i];
	return NULL;
}

const char *option_nearest(enum option_kind kind, const char *key)
{
	const char *nearest = NULL;
	unsigned best = DISTANCE_MAX + 1;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].kind != kind)
			continue;
		unsigned d = distance(key, options[i].key);
		if (d < best) {
			best = d;
			nearest = options[i].key;
		}
	}
	return nearest;
}

const char *option_section(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strcmp(options[i].key, key) == 0)
			return options[i].kind == OPTION_TWINIT     ? "[twinit]"
			       : options[i].kind == OPTION_SESSIONS ? "[sessions]"
			                                            : "[app NAME]";
	return NULL;
}

void option_list(enum option_kind kind, struct text *why)
{
	const char *separator = "; valid are ";

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].kind != kind)
			continue;
		text_add(why, "%s%s", separator, options[i].key);
		separator = ", ";
	}
}

int option_set(const struct option *option, void *base, const char *value, struct text *why)
{
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < ' ' && *c != '\t')
			return refuse(why, value, "has a control character");

	int r = option->parse(option, value, (char *)base + option->offset, why);
	if (r < 0)
		return r;
	if (option->said > 0)
		*(bool *)((char *)base + option->said) = true;
	return 0;
}
