#include "config/load.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/hook.h"
#include "config/parse.h"
#include "util/cleanup.h"
#include "util/text.h"

/* inih cuts longer ones without a word (INI_MAX_LINE is 200 in Debian, MAX_SECTION 50). */
enum { LINE_MAX_BYTES = 197, SECTION_MAX_BYTES = 49 };

/* One reading of the file: inih asks for lines, and gives back keys. */
struct reading {
	FILE *stream;
	char *line;
	size_t capacity;
	int number;     /* of the line at hand; 0: none yet */
	int bad_number; /* of the first line that is wrong; 0: none */
	int result;     /* what bad_number's line means to the caller */
	char why[CONFIG_ERROR_SIZE];
	struct config *config;
};

static void give_up(struct reading *reading, int result, const char *why)
{
	struct text sentence = TEXT(reading->why);

	reading->bad_number = reading->number;
	reading->result = result;
	text_add(&sentence, "%s", why);
}

static const char *fault_of_line(const char *line, size_t length, size_t room)
{
	if (strlen(line) != length)
		return "has a NUL byte";
	if (length > LINE_MAX_BYTES || length >= room)
		return "is longer than 197 bytes; a longer value fits in the environment";
	if (line[0] == '[' && strcspn(line, "]") > SECTION_MAX_BYTES + 1)
		return "has a section name of more than 49 bytes";
	return NULL;
}

/*
 * An ini_reader.  Indentation is dropped: inih would take an indented key for more of the value
 * before it.
 */
static char *next_line(char *to, int size, void *stream)
{
	struct reading *reading = stream;

	if (reading->bad_number > 0)
		return NULL;
	errno = 0;
	ssize_t length = getline(&reading->line, &reading->capacity, reading->stream);
	if (length < 0) {
		if (!feof(reading->stream))
			give_up(reading, errno ? -errno : -EIO, "");
		return NULL;
	}
	reading->number++;

	char *line = reading->line + strspn(reading->line, " \t");
	size_t rest = (size_t)length - (size_t)(line - reading->line);
	const char *fault = fault_of_line(line, rest, (size_t)size);

	if (fault) {
		give_up(reading, -EINVAL, fault);
		return NULL;
	}
	return memcpy(to, line, rest + 1);
}

/* An ini_handler. */
static int take_key(void *user, const char *section, const char *key, const char *value)
{
	struct reading *reading = user;
	char why[CONFIG_ERROR_SIZE];

	int r = config_set(reading->config, section, key, value, why, sizeof(why));
	if (r < 0)
		give_up(reading, r, why);
	else if (strcmp(section, "twinit") == 0 && strcmp(key, "on_event") == 0)
		reading->config->on_event_line = reading->number;
	return r == 0;
}

static void explain(const struct reading *reading, const char *file, struct text *sentence)
{
	if (reading->why[0] == '\0')
		text_add(sentence, "%s: cannot read it: %s", file, strerror(-reading->result));
	else
		text_add(sentence, "%s:%d: %s", file, reading->bad_number, reading->why);
}

static int parse_stream(FILE *stream, const char *file, struct config *config,
                        struct text *sentence)
{
	struct reading reading = { .stream = stream, .config = config };

	int bad_line = ini_parse_stream(next_line, &reading, take_key, &reading);
	if (bad_line > 0 && (reading.bad_number == 0 || bad_line < reading.bad_number)) {
		reading.number = bad_line;
		give_up(&reading, -EINVAL, "is neither [section] nor key = value");
	}
	if (reading.result < 0)
		explain(&reading, file, sentence);
	free(reading.line);
	return reading.result;
}

static int load_file(const char *file, bool required, struct config *config, struct text *sentence)
{
	_cleanup_file_ FILE *stream = fopen(file, "re");

	if (!stream && errno == ENOENT && !required)
		return 0;
	if (!stream) {
		int error = -errno;

		text_add(sentence, "%s: cannot open it: %s", file, strerror(-error));
		return error;
	}
	if (!text_copy(config->file, sizeof(config->file), file)) {
		text_add(sentence, "%s: the path is too long", file);
		return -ENAMETOOLONG;
	}
	return parse_stream(stream, file, config, sentence);
}

static void warn_unknown(const char *name, void (*warn)(const char *sentence))
{
	char sentence[CONFIG_ERROR_SIZE];
	struct text text = TEXT(sentence);

	if (!warn || !text_begins(name, "TWINIT_") || strcmp(name, "TWINIT_CONFIG") == 0)
		return;
	text_add(&text, "ignoring the unknown environment variable ");
	text_add_quoted(&text, name);
	warn(sentence);
}

static void warn_template(const char *name, const char *value, void (*warn)(const char *sentence))
{
	char sentence[CONFIG_ERROR_SIZE];
	struct text text = TEXT(sentence);

	if (!warn)
		return;
	text_add(&text, "ignoring %s, a template that nobody filled in: ", name);
	text_add_quoted(&text, value);
	warn(sentence);
}

/* Take NAME=VALUE apart.  False when it is none of ours, so that a name's size does not matter. */
static bool split(const char *variable, char *name, size_t size, const char **value)
{
	const char *equals = strchr(variable, '=');

	if (!equals || (size_t)(equals - variable) >= size)
		return false;
	memcpy(name, variable, (size_t)(equals - variable));
	name[equals - variable] = '\0';
	*value = equals + 1;
	return true;
}

static int load_environment(char *const environment[], struct config *config, struct text *sentence,
                            void (*warn)(const char *sentence))
{
	char name[256];
	char why[CONFIG_ERROR_SIZE];
	const char *value;

	for (; *environment; environment++) {
		if (!split(*environment, name, sizeof(name), &value))
			continue;
		int r = config_set_from_env(config, name, value, why, sizeof(why));
		if (r == -ENOENT) {
			warn_unknown(name, warn);
		} else if (r == CONFIG_TEMPLATE) {
			warn_template(name, value, warn);
		} else if (r < 0) {
			text_add(sentence, "%s", why);
			return r;
		} else if (strcmp(name, ON_EVENT_VARIABLE) == 0 && *value) {
			config->on_event_line = 0;
		}
	}
	return 0;
}

int config_load(const char *file, char *const environment[], struct config *config,
                char error[CONFIG_ERROR_SIZE], void (*warn)(const char *sentence))
{
	struct text sentence = text_init(error, CONFIG_ERROR_SIZE);
	char why[CONFIG_ERROR_SIZE];

	config_init(config);
	int r = load_file(file ? file : CONFIG_FILE_DEFAULT, file != NULL, config, &sentence);
	if (r < 0)
		return r;
	r = load_environment(environment, config, &sentence, warn);
	if (r < 0)
		return r;
	if (config->app_count == 0)
		(void)config_app(config, "www");

	r = config_check(config, why, sizeof(why));
	if (r < 0)
		text_add(&sentence, "%s%s%s", config->file, config->file[0] ? ": " : "", why);
	return r;
}
