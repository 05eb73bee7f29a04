#include "fpm/dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

#define LABEL_NOTICE "NOTICE: "
#define LABEL_ERROR  "ERROR: "
#define LABEL_ALERT  "ALERT: "
#define LABEL_PHP    "PHP:  "

#define ARROW       " => "
#define NO_VALUE    "no value"
#define ENVIRONMENT "Environment"

/* FPM's buffer for a log line (zlog.c), and the smaller limit it then cuts a longer one to. */
enum { LOG_LINE_SIZE = 2048, LOG_LIMIT_DEFAULT = 1024 };

/* While it is read. */
struct reading {
	struct fpm_dump *dump;
	size_t room;
	const char *section;
	size_t log_limit;
	const char *syntax_error; /* PHP's, printed before FPM says where; NULL: none */
};

/* The text behind "[time] ", or the line itself: FPM leaves the time out in some set-ups. */
static char *skip_time(char *line)
{
	char *end = *line == '[' ? strstr(line, "] ") : NULL;

	return end ? end + 2 : line;
}

static int add_directive(struct reading *reading, struct fpm_directive directive)
{
	struct fpm_dump *dump = reading->dump;

	if (dump->count == reading->room) {
		size_t room = reading->room > 0 ? 2 * reading->room : 64;
		void *grown = reallocarray(dump->directives, room, sizeof(*dump->directives));

		if (!grown)
			return -ENOMEM;
		dump->directives = grown;
		reading->room = room;
	}
	dump->directives[dump->count++] = directive;
	return 0;
}

/* FPM cuts long lines and puts "..." at the end. */
static bool is_cut(const char *line, size_t length, size_t log_limit)
{
	size_t limit = log_limit < LOG_LINE_SIZE ? log_limit : LOG_LINE_SIZE;

	return (length == limit - 1 || length == LOG_LINE_SIZE - 1) &&
	       strcmp(line + length - strlen("..."), "...") == 0;
}

/* Where the key ends: before " = ", but an index may have that in it, too. */
static char *end_of_key(char *text)
{
	char *equals = strstr(text, " = ");
	char *bracket = strchr(text, '[');

	if (!bracket || (equals && equals < bracket))
		return equals;
	char *index_end = strstr(bracket, "] = ");
	return index_end ? index_end + 1 : NULL;
}

static int take_directive(struct reading *reading, char *text, bool cut)
{
	char *equals = end_of_key(text);

	if (!equals)
		return 0;
	*equals = '\0';

	char *value = equals + strlen(" = ");
	if (!strchr(text, '[') && strcmp(value, "undefined") == 0)
		*value = '\0';
	if (strcmp(text, "log_limit") == 0 && strcmp(reading->section, "global") == 0)
		reading->log_limit = strtoul(value, NULL, 10);
	return add_directive(reading, (struct fpm_directive){ .section = reading->section,
	                                                      .key = text,
	                                                      .value = value,
	                                                      .cut = cut });
}

static int take_notice(struct reading *reading, char *text, bool cut)
{
	size_t length = strlen(text);

	if (*text == '\t' && reading->section)
		return take_directive(reading, text + 1, cut);
	if (length > 2 && *text == '[' && strchr(text, ']') == text + length - 1) {
		text[length - 1] = '\0';
		reading->section = text + 1;
	} else if (text_begins(text, "configuration file ") &&
	           strstr(text, " test is successful")) {
		reading->dump->successful = true;
	}
	return 0;
}

/* "syntax error, unexpected '=' in Unknown on line 1": FPM gives PHP one line at a time. */
static void take_syntax_error(struct reading *reading, char *text)
{
	char *where = strstr(text, " in Unknown");

	if (where)
		*where = '\0';
	reading->syntax_error = text;
}

static void take_problem(struct reading *reading, const char *text)
{
	struct text problem = TEXT(reading->dump->problem);

	text_add(&problem, "%s", text);
	if (reading->syntax_error)
		text_add(&problem, ": %s (does the value need quotes?)", reading->syntax_error);
}

static int take_line(struct reading *reading, char *line)
{
	size_t length = strlen(line);
	bool cut = length >= strlen("...") && is_cut(line, length, reading->log_limit);
	char *text = skip_time(line);

	if (text_begins(text, LABEL_NOTICE))
		return take_notice(reading, text + strlen(LABEL_NOTICE), cut);
	if (reading->dump->problem[0])
		return 0;
	if (text_begins(text, LABEL_ERROR))
		take_problem(reading, text + strlen(LABEL_ERROR));
	else if (text_begins(text, LABEL_ALERT))
		take_problem(reading, text + strlen(LABEL_ALERT));
	else if (text_begins(text, LABEL_PHP))
		take_syntax_error(reading, text + strlen(LABEL_PHP));
	return 0;
}

int fpm_dump_parse(char *text, struct fpm_dump *dump)
{
	struct reading reading = { .dump = dump, .log_limit = LOG_LIMIT_DEFAULT };

	*dump = (struct fpm_dump){ .count = 0 };
	while (text) {
		char *line = strsep(&text, "\n");
		int r = take_line(&reading, line);

		if (r < 0) {
			fpm_dump_done(dump);
			return r;
		}
	}
	return 0;
}

void fpm_dump_done(struct fpm_dump *dump)
{
	free(dump->directives);
	dump->directives = NULL;
	dump->count = 0;
}

static const struct fpm_directive *find(const struct fpm_dump *dump, const char *section,
                                        const char *key)
{
	for (size_t i = dump->count; i > 0; i--) {
		const struct fpm_directive *directive = &dump->directives[i - 1];

		if (strcmp(directive->section, section) == 0 && strcmp(directive->key, key) == 0)
			return directive;
	}
	return NULL;
}

const char *fpm_dump_get(const struct fpm_dump *dump, const char *section, const char *key)
{
	const struct fpm_directive *directive = find(dump, section, key);

	return directive ? directive->value : "";
}

static bool is_text(const char *line, size_t length, const char *text)
{
	return length == strlen(text) && memcmp(line, text, length) == 0;
}

/*
 * "name => local => master".  The two values are the same, as there is no pool; so the middle arrow
 * is found even where a value has one too.
 */
static bool take_ini(const char *line, size_t length, struct fpm_ini *ini)
{
	const char *arrow = memmem(line, length, ARROW, strlen(ARROW));

	if (!arrow)
		return false;
	const char *both = arrow + strlen(ARROW);
	size_t size = (size_t)(line + length - both);

	if (size < strlen(ARROW) || size % 2 != 0)
		return false;
	size_t half = (size - strlen(ARROW)) / 2;
	const char *master = both + half + strlen(ARROW);

	if (memcmp(both + half, ARROW, strlen(ARROW)) != 0 || memcmp(both, master, half) != 0)
		return false;
	*ini = (struct fpm_ini){ line, (size_t)(arrow - line), both, half };
	if (is_text(both, half, NO_VALUE))
		ini->value_length = 0;
	return true;
}

bool fpm_info_next(const char **info, struct fpm_ini *ini)
{
	while (**info) {
		const char *line = *info;
		size_t length = strcspn(line, "\n");

		if (is_text(line, length, ENVIRONMENT))
			return false;
		*info = line + length + (line[length] == '\n');
		if (take_ini(line, length, ini))
			return true;
	}
	return false;
}

static int setting_from_info(const char *info, const char *setting, char *value, size_t size)
{
	struct fpm_ini ini;

	while (fpm_info_next(&info, &ini)) {
		if (!is_text(ini.name, ini.name_length, setting))
			continue;
		if (ini.value_length >= size)
			return -ENAMETOOLONG;
		memcpy(value, ini.value, ini.value_length);
		value[ini.value_length] = '\0';
		return 0;
	}
	return 0;
}

int fpm_dump_php_setting(const struct fpm_dump *dump, const char *info, const char *pool,
                         const char *setting, char *value, size_t size)
{
	static const char *const kinds[] = { "php_admin_value", "php_value" };
	char key[256];

	value[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct text name = TEXT(key);

		text_add(&name, "%s[%s]", kinds[i], setting);
		const struct fpm_directive *directive = find(dump, pool, key);
		if (directive)
			return !directive->cut && text_copy(value, size, directive->value)
			               ? 0
			               : -ENAMETOOLONG;
	}
	return setting_from_info(info, setting, value, size);
}
