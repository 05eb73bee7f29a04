#include "fpm/overlay_values.h"

#include <errno.h>
#include <string.h>

#include "fpm/overlay.h"
#include "util/text.h"

enum { KEY_SIZE = 512, VALUE_SIZE = 16384 };

static bool is_link(const struct overlay_pin *pin, const char *element)
{
	size_t length = strlen(pin->link);

	return text_begins(element, pin->link) && strchr("/:", element[length]);
}

int overlay_resolve(const struct overlay_pin *pin, const char *value, char *to, size_t size)
{
	struct text text = text_init(to, size);

	for (const char *element = value;; element++) {
		if (is_link(pin, element)) {
			text_add(&text, "%s", pin->release);
			element += strlen(pin->link);
		}
		size_t length = strcspn(element, ":");

		text_add(&text, "%.*s", (int)length, element);
		element += length;
		if (*element == '\0')
			break;
		text_add(&text, ":");
	}
	return text.cut ? -ENAMETOOLONG : 0;
}

int overlay_refuse(struct overlay_writer *writer, const char *pool, const char *key,
                   const char *cause)
{
	text_add(writer->why, "pool %s: %s %s", pool, key, cause);
	return -EINVAL;
}

/*
 * Between single quotes the scanner takes every byte for itself; a single quote goes between double
 * ones, and strings side by side are one.  An empty string is written "" because '' is no value.
 */
static void put_quoted(FILE *out, const char *value)
{
	if (*value == '\0')
		fputs("\"\"", out);
	while (*value) {
		bool quotes = *value == '\'';
		size_t length = quotes ? strspn(value, "'") : strcspn(value, "'");

		fprintf(out, quotes ? "\"%.*s\"" : "'%.*s'", (int)length, value);
		value += length;
	}
}

int overlay_put(struct overlay_writer *writer, const char *pool, const char *key, const char *value)
{
	if (strchr(value, '\n'))
		return overlay_refuse(writer, pool, key, "has a line break, which FPM cannot read");
	if (strpbrk(key, "\n\"'$;{}|&^~!()\\"))
		return overlay_refuse(writer, pool, key, "cannot be written as a key");
	fprintf(writer->out, "%s = ", key);
	put_quoted(writer->out, value);
	fputc('\n', writer->out);
	return 0;
}

static bool is_copied(const struct fpm_directive *directive, const char *pool)
{
	return strcmp(directive->section, pool) == 0 &&
	       (text_begins(directive->key, "env[") || text_begins(directive->key, "php_value[") ||
	        text_begins(directive->key, "php_admin_value["));
}

static bool is_setting(const char *key, const char *setting)
{
	const char *index = text_begins(key, "php_") ? strchr(key, '[') : NULL;

	return index && text_begins(index + 1, setting) &&
	       strcmp(index + 1 + strlen(setting), "]") == 0;
}

/* What the pin itself sets: the first line that sets a value wins, and ours is that. */
static bool is_ours(const char *key)
{
	return is_setting(key, "doc_root") || is_setting(key, "auto_prepend_file");
}

/* The value as the replica shall see it, in @to. */
static int pinned_value(struct overlay_writer *writer, const char *pool, const char *key,
                        const char *value, char to[VALUE_SIZE])
{
	const struct overlay_pin *pin = writer->overlay->pin;
	struct text text = text_init(to, VALUE_SIZE);

	if (!pin) {
		text_add(&text, "%s", value);
		return text.cut ? overlay_refuse(writer, pool, key, "is too long") : 0;
	}
	int r = overlay_resolve(pin, value, to, VALUE_SIZE);
	text.length = strlen(to);
	if (r == 0 && *value && is_setting(key, "open_basedir"))
		text_add(&text, ":%s%s.php", pin->prepend, pool);
	return r < 0 || text.cut ? overlay_refuse(writer, pool, key, "is too long") : 0;
}

static int put_pinned(struct overlay_writer *writer, const char *pool,
                      const struct fpm_directive *directive, bool only_changed)
{
	char value[VALUE_SIZE];

	int r = pinned_value(writer, pool, directive->key, directive->value, value);
	if (r < 0)
		return r;
	bool changed = strcmp(value, directive->value) != 0;
	if (directive->cut && changed)
		return overlay_refuse(
			writer, pool, directive->key,
			"is too long for php-fpm -tt to print, and has the release link");
	if (directive->cut || (only_changed && !changed))
		return 0;
	return overlay_put(writer, pool, directive->key, value);
}

/* Where a name is written twice, one of the two means nothing. */
static bool is_effective(struct overlay_writer *writer, const struct fpm_directive *directive)
{
	return fpm_dump_get(writer->dump, directive->section, directive->key) == directive->value;
}

/*
 * FPM prints the last line of these first.  They are written the other way round, so that of two
 * with the same name the same one wins.
 */
int overlay_put_copies(struct overlay_writer *writer, const char *pool, bool only_changed)
{
	for (size_t i = writer->dump->count; i > 0; i--) {
		const struct fpm_directive *directive = &writer->dump->directives[i - 1];

		if (!is_copied(directive, pool) ||
		    (writer->overlay->pin && is_ours(directive->key)) ||
		    (only_changed && !is_effective(writer, directive)))
			continue;
		int r = put_pinned(writer, pool, directive, only_changed);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool pool_sets(struct overlay_writer *writer, const char *pool, const char *setting)
{
	for (size_t i = 0; i < writer->dump->count; i++) {
		const struct fpm_directive *directive = &writer->dump->directives[i];

		if (is_copied(directive, pool) && is_setting(directive->key, setting))
			return true;
	}
	return false;
}

/* Paths that scripts may change themselves: a php_admin_value would forbid them to. */
static const char *kind_of(const char *setting)
{
	static const char *const free_to_change[] = {
		"include_path",
		"error_log",
		"session.save_path",
		"open_basedir",
	};

	for (size_t i = 0; i < ARRAY_SIZE(free_to_change); i++)
		if (strcmp(free_to_change[i], setting) == 0)
			return "php_value";
	return "php_admin_value";
}

static int put_ini(struct overlay_writer *writer, const char *pool, const struct fpm_ini *ini)
{
	char setting[KEY_SIZE / 2], key[KEY_SIZE], value[VALUE_SIZE];
	struct text setting_text = TEXT(setting), key_text = TEXT(key), value_text = TEXT(value);

	text_add(&setting_text, "%.*s", (int)ini->name_length, ini->name);
	text_add(&key_text, "%s[%s]", kind_of(setting), setting);
	text_add(&value_text, "%.*s", (int)ini->value_length, ini->value);
	if (is_ours(key) || pool_sets(writer, pool, setting))
		return 0;

	const struct fpm_directive directive = {
		.section = pool,
		.key = key,
		.value = value,
		.cut = setting_text.cut || value_text.cut,
	};
	return put_pinned(writer, pool, &directive, true);
}

/* php.ini's settings that the pin changes; what the pool sets itself is not among them. */
static int put_info(struct overlay_writer *writer, const char *pool)
{
	const char *info = writer->info;
	struct fpm_ini ini;

	while (fpm_info_next(&info, &ini)) {
		int r = put_ini(writer, pool, &ini);
		if (r < 0)
			return r;
	}
	return 0;
}

int overlay_put_pin(struct overlay_writer *writer, const char *pool)
{
	const struct overlay_pin *pin = writer->overlay->pin;
	char doc_root[VALUE_SIZE], prepend[VALUE_SIZE];
	struct text text = TEXT(doc_root);

	text_add(&text, "%s%s%s", pin->release, pin->docroot[0] ? "/" : "", pin->docroot);
	text = TEXT(prepend);
	text_add(&text, "%s%s.php", pin->prepend, pool);
	int r = overlay_put(writer, pool, "php_admin_value[doc_root]", doc_root);
	if (r < 0)
		return r;
	r = overlay_put(writer, pool, "php_admin_value[auto_prepend_file]", prepend);
	if (r < 0)
		return r;
	return put_info(writer, pool);
}

int overlay_put_same(struct overlay_writer *writer, const char *pool, const char *key)
{
	const struct fpm_directive directive = {
		.section = pool,
		.key = key,
		.value = fpm_dump_get(writer->dump, pool, key),
	};
	char value[VALUE_SIZE];

	if (directive.value[0] == '\0')
		return 0;
	int r = pinned_value(writer, pool, key, directive.value, value);
	return r < 0 ? r : overlay_put(writer, pool, key, value);
}
