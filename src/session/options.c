#include "session/options.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "session/slice.h"
#include "util/text.h"

static const char *const option_names[OPTION_COUNT] = {
	[OPTION_AUTH] = "auth",
	[OPTION_DATABASE] = "database",
	[OPTION_PERSISTENT] = "persistent",
	[OPTION_PERSISTENT_ID] = "persistent_id",
	[OPTION_PREFIX] = "prefix",
	[OPTION_READ_TIMEOUT] = "read_timeout",
	[OPTION_RETRY_INTERVAL] = "retry_interval",
	[OPTION_STREAM] = "stream",
	[OPTION_TIMEOUT] = "timeout",
	[OPTION_WEIGHT] = "weight",
};

/* What people write instead, compared without case. */
static const struct alias {
	const char *wrong, *right;
} aliases[] = {
	{ "auth", "auth" },
	{ "connect_timeout", "timeout" },
	{ "connection_timeout", "timeout" },
	{ "database", "database" },
	{ "db", "database" },
	{ "dbindex", "database" },
	{ "index", "database" },
	{ "key_prefix", "prefix" },
	{ "pass", "auth" },
	{ "password", "auth" },
	{ "pconnect", "persistent" },
	{ "persistent", "persistent" },
	{ "prefix", "prefix" },
	{ "pwd", "auth" },
	{ "read_timeout", "read_timeout" },
	{ "read_write_timeout", "read_timeout" },
	{ "readtimeout", "read_timeout" },
	{ "ssl", "stream[...]" },
	{ "timeout", "timeout" },
	{ "tls", "a tls:// address" },
	{ "user", "auth[]=USER&auth[]=PASSWORD" },
	{ "username", "auth[]=USER&auth[]=PASSWORD" },
	{ "weight", "weight" },
};

const char *options_name(enum option option)
{
	return option_names[option];
}

static int option_find(const char *name)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if (strcmp(option_names[i], name) == 0)
			return i;
	return -1;
}

static const char *alias_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strcasecmp(aliases[i].wrong, name) == 0)
			return aliases[i].right;
	return NULL;
}

/* A name of our own table is no secret; any other may be the rest of one. */
static void option_unknown(struct options *options, const char *name, struct slice value)
{
	const char *meant = alias_find(name);
	bool secret = meant && text_begins(meant, "auth");

	if (!options->unknown_seen || (meant && !options->meant)) {
		options->unknown_seen = true;
		options->meant = meant;
		if (!meant && (options->secret_seen || !slice_consists_of(slice_of(name), "_-")))
			name = "";
		text_copy_cut(options->unknown, sizeof(options->unknown), name);
	}
	options->secret_seen |= secret;
	if (meant && strcmp(meant, "database") == 0 && slice_is_number(value) && value.length < 4)
		options->database_meant = (int)strtol(value.start, NULL, 10);
}

/* The index of @key among the auth entries; AUTH_ENTRIES when there are too many. */
static size_t auth_entry(struct options *options, const char *key)
{
	char *rest;
	size_t i = 0;

	while (i < options->auth_count && strcmp(options->auth[i].key, key) != 0)
		i++;
	if (i == AUTH_ENTRIES || i < options->auth_count)
		return i;
	text_copy_cut(options->auth[i].key, QUERY_NAME_SIZE, key);
	options->auth_count++;

	unsigned long number = strtoul(key, &rest, 10);
	bool canonical = slice_is_digit(key[0]) && *rest == '\0' && (key[0] != '0' || !key[1]);
	if (canonical && number < UINT_MAX && number >= options->auth_next)
		options->auth_next = number + 1;
	return i;
}

static void auth_set(struct options *options, const char *key, const char *text)
{
	char number[QUERY_NAME_SIZE];

	if (!options->values[OPTION_AUTH].array) {
		options->auth_count = 0;
		options->auth_next = 0;
	}
	if (key[0] == '\0') {
		struct text next = TEXT(number);

		text_add(&next, "%lu", options->auth_next);
		key = number;
	}
	size_t i = auth_entry(options, key);
	if (i < AUTH_ENTRIES)
		text_copy_cut(options->auth[i].text, STORE_AUTH_SIZE, text);
}

static void option_set(struct options *options, enum option option, const struct query_name *name,
                       const char *text)
{
	struct value *value = &options->values[option];

	if (option == OPTION_AUTH) {
		options->secret_seen = true;
		if (name->key)
			auth_set(options, name->key, name->nested ? "Array" : text);
	}
	value->set = true;
	value->array = name->key;
	text_copy_cut(value->text, sizeof(value->text), text);
}

/* One "name=value" of the query; a later one replaces an earlier one. */
static bool pair_read(struct options *options, struct slice encoded, struct slice value)
{
	char text[STORE_AUTH_SIZE];
	struct query_name name;

	query_name(encoded, &name);
	int option = option_find(name.name);
	if (option < 0) {
		option_unknown(options, name.name, value);
		return true;
	}
	if (!query_decode(value, text, sizeof(text))) {
		options->refused = (enum option)option;
		return false;
	}
	option_set(options, (enum option)option, &name, text);
	return true;
}

bool options_read(const struct url *url, struct options *options)
{
	/* The fragment is the query's neighbour, so that the piece just grows. */
	struct slice last = url->fragment.start ? url->fragment : url->query;
	struct query query = { .at = url->query.start };
	struct slice name, value;

	memset(options, 0, sizeof(*options));
	options->database_meant = -1;
	if (!query.at)
		return true;
	query.end = last.start + last.length;
	while (query_next(&query, &name, &value))
		if (!pair_read(options, name, value))
			return false;
	return true;
}

static const char *auth_text(const struct options *options, const char *key)
{
	for (size_t i = 0; i < options->auth_count; i++)
		if (strcmp(options->auth[i].key, key) == 0)
			return options->auth[i].text;
	return NULL;
}

static bool login_of_array(const struct options *options, const char **user, const char **password)
{
	bool two = options->auth_count == 2;
	const char *name = auth_text(options, "user");
	const char *secret = auth_text(options, "pass");

	if (!name)
		name = auth_text(options, "0");
	if (!secret)
		secret = auth_text(options, two ? "1" : "0");
	if (options->auth_count > 2 || !secret)
		return false;
	*user = two ? name : NULL;
	*password = secret;
	return true;
}

bool options_login(const struct options *options, const char **user, const char **password)
{
	const struct value *auth = &options->values[OPTION_AUTH];

	if (auth->array)
		return login_of_array(options, user, password);
	*user = NULL;
	*password = auth->text;
	return auth->set;
}
