/* The tables of doc/configuration.md, which the man page is made from too, are what the parser
 * does. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/parse.h"
#include "util/macros.h"
#include "util/text.h"

enum { CELLS = 3 }; /* key, default, environment; the meaning may have any sign in it */

static const struct section {
	const char *heading, *name, *prefix;
} sections[] = {
	{ "[twinit]", "twinit", "TWINIT_" },
	{ "[sessions]", "sessions", "TWINIT_SESSIONS_" },
	{ "[app NAME]", "app www", "TWINIT_APP_" },
};

static struct config before, after;
static char why[2048], keys[2048];

/* "| `wait` | `30s` | ..." as "wait", "30s", ...  False for what is no row. */
static bool take_apart(char *line, char *cells[CELLS])
{
	if (line[0] != '|')
		return false;
	for (size_t i = 0; i < CELLS; i++) {
		size_t length;

		line += strspn(line, "| `");
		cells[i] = line;
		line = strchr(line, '|');
		if (!line)
			return false;
		length = (size_t)(line - cells[i]);
		while (length > 0 && strchr(" `", cells[i][length - 1]))
			length--;
		*line++ = '\0';
		cells[i][length] = '\0';
	}
	return true;
}

/* What the page writes with words of its own is the empty value. */
static const char *value_of(const char *text)
{
	static const char *const empty[] = { "none", "FPM's own", "replicas" };

	for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
		if (strcmp(text, empty[i]) == 0)
			return "";
	return text;
}

static void check_variable(const struct section *section, const char *key, const char *variable)
{
	char expected[128];
	struct text text = TEXT(expected);

	text_add(&text, "%s", section->prefix);
	for (const char *c = key; *c; c++)
		text_add(&text, "%c", toupper(*c));
	assert_string_equal(variable, expected);
	if (config_set_from_env(&after, variable, "", why, sizeof(why)) != 0)
		fail_msg("%s of the page is no variable of the parser", variable);
}

/* The default is right when setting it changes nothing. */
static void check_default(const struct section *section, const char *key, const char *value)
{
	memcpy(&after, &before, sizeof(after));
	if (config_set(&after, section->name, key, value_of(value), why, sizeof(why)) != 0)
		fail_msg("doc/configuration.md: the default of %s: %s", key, why);
	if (memcmp(&after, &before, sizeof(after)) != 0)
		fail_msg("doc/configuration.md: '%s' is not the default of %s", value, key);
}

static void check_keys(const struct section *section)
{
	const char *valid;

	assert_int_equal(
		config_set(&after, section->name, "zzzzzzzzzzzzzzzz", "", why, sizeof(why)),
		-EINVAL);
	valid = strstr(why, "; valid are ");
	assert_non_null(valid);
	assert_string_equal(keys, valid + strlen("; valid are "));
}

static void check_section(const struct section *section)
{
	FILE *manual = fopen("doc/configuration.md", "re");
	struct text list = TEXT(keys);
	char line[4096], *cells[CELLS];
	bool inside = false;

	assert_non_null(manual);
	while (fgets(line, sizeof(line), manual)) {
		if (!take_apart(line, cells)) {
			inside = false;
		} else if (strcmp(cells[0], section->heading) == 0) {
			inside = true;
		} else if (inside && cells[0][0] != '-') {
			text_add(&list, "%s%s", list.length > 0 ? ", " : "", cells[0]);
			check_default(section, cells[0], cells[1]);
			check_variable(section, cells[0], cells[2]);
		}
	}
	(void)fclose(manual);
	check_keys(section);
}

static void test_the_page_has_each_key_with_its_default_and_variable(void **state)
{
	(void)state;
	config_init(&before);
	assert_non_null(config_app(&before, "www"));
	/* That something was said is no value. */
	before.run_dir_set = true;
	before.apps[0].docroot_set = true;
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		check_section(&sections[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_page_has_each_key_with_its_default_and_variable),
	};

	return cmocka_run_group_tests_name("config/documented", tests, NULL, NULL);
}
