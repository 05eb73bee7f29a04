#include "session/savepath.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/text.h"

enum {
	DEFAULT_PORT = 6379,
	PORT_DIGITS = 5,
	NAME_SIZE = 64,
	AUTH_ENTRIES = 3, /* phpredis wants one or two; three stands for more */
};

/* A piece of the text; start is NULL when it is absent, which is not the same as empty. */
struct slice {
	const char *start;
	size_t length;
};

/* What php_url_parse_ex() makes of one part of the list. */
struct url {
	struct slice scheme, host, path, query, fragment;
	struct slice login; /* before the last @ of the host */
	int port;
};

enum option {
	OPTION_AUTH,
	OPTION_DATABASE,
	OPTION_PERSISTENT,
	OPTION_PERSISTENT_ID,
	OPTION_PREFIX,
	OPTION_READ_TIMEOUT,
	OPTION_RETRY_INTERVAL,
	OPTION_STREAM,
	OPTION_TIMEOUT,
	OPTION_WEIGHT,
	OPTION_COUNT,
};

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

struct value {
	bool set, array;
	char text[STORE_AUTH_SIZE];
};

/* One part's query, as PHP's array of it. */
struct options {
	struct value values[OPTION_COUNT];
	size_t auth_count;
	struct {
		char key[NAME_SIZE];
		char text[STORE_AUTH_SIZE];
	} auth[AUTH_ENTRIES];
	unsigned long auth_next; /* the index that auth[] gets */
	bool secret_seen;        /* what follows may be the rest of a password */
	bool unknown_seen;
	char unknown[NAME_SIZE]; /* the first unknown name; empty: not to be shown */
	const char *meant;       /* ... and the option that it looks like, or NULL */
	int database_meant;      /* what db=2 says; negative: nothing */
};

/* Traps, the most serious first; only one is kept. */
enum trap {
	TRAP_LOGIN_IGNORED,
	TRAP_AUTH_IGNORED,
	TRAP_AUTH_EMPTY,
	TRAP_DATABASE,
	TRAP_UNKNOWN_OPTION,
	TRAP_FRAGMENT,
	TRAP_VALUE,
	TRAP_IPV6,
	TRAP_STREAM,
	TRAP_SCHEME,
	TRAP_FOREVER,
	TRAP_TIMEOUT,
	TRAP_NONE,
};

struct parser {
	struct save_path *path;
	struct store_address *store; /* the one being filled */
	struct url url;
	struct options options;
	struct text why;
	enum trap trap;
	size_t part;      /* from 1 */
	bool auth_before; /* an earlier part has auth= */
};

/* --- pieces of text --- */

static struct slice slice(const char *start, const char *end)
{
	return (struct slice){ .start = start, .length = (size_t)(end - start) };
}

static bool slice_is(struct slice piece, const char *text)
{
	return piece.start && piece.length == strlen(text) &&
	       memcmp(piece.start, text, piece.length) == 0;
}

static bool slice_has(struct slice piece, char c)
{
	return piece.start && memchr(piece.start, c, piece.length);
}

/* The first of @chars between @start and @end, or @end. */
static const char *find_any(const char *start, const char *end, const char *chars)
{
	while (start < end && !strchr(chars, *start))
		start++;
	return start;
}

/* For what fits already: too long would be cut. */
static void copy(char *to, size_t size, const char *value)
{
	struct text text = text_init(to, size);

	text_add(&text, "%s", value);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *at, const char *end)
{
	while (at < end && is_digit(*at))
		at++;
	return at;
}

static bool is_number(struct slice piece)
{
	const char *end = piece.start + piece.length;

	return piece.length > 0 && skip_digits(piece.start, end) == end;
}

static bool is_ascii_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool consists_of(struct slice piece, const char *others)
{
	for (size_t i = 0; i < piece.length; i++)
		if (!is_ascii_alnum(piece.start[i]) &&
		    (piece.start[i] == '\0' || !strchr(others, piece.start[i])))
			return false;
	return piece.length > 0;
}

static bool is_address6(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET6, host, &address) == 1;
}

/* --- php_url_parse_ex() --- */

/* The path and what follows it.  A fragment ends the query, although phpredis joins them again. */
static void split_path(struct url *url, const char *start, const char *end)
{
	const char *fragment = find_any(start, end, "#");
	const char *query = find_any(start, fragment, "?");

	if (fragment < end)
		url->fragment = slice(fragment + 1, end);
	if (query < fragment)
		url->query = slice(query + 1, fragment);
	if (query > start || start == end)
		url->path = slice(start, query);
}

/* strtol() of at most five characters, as PHP reads a port: "+63" and "63x" are 63. */
static bool read_port(const char *start, const char *end, int *port)
{
	char digits[PORT_DIGITS + 1] = "";
	char *rest;

	if (end - start > PORT_DIGITS)
		return false;
	memcpy(digits, start, (size_t)(end - start));
	long value = strtol(digits, &rest, 10);
	if (rest == digits || value < 0 || value > UINT16_MAX)
		return false;
	*port = (int)value;
	return true;
}

static bool split_host(struct url *url, const char *start, const char *end)
{
	const char *stop = find_any(start, end, "/?#");
	const char *login = memrchr(start, '@', (size_t)(stop - start));

	if (login) {
		url->login = slice(start, login);
		start = login + 1;
	}
	const char *colon = memrchr(start, ':', (size_t)(stop - start));
	if (start < stop && *start == '[' && stop[-1] == ']')
		colon = NULL;
	if (colon && url->port == 0 && colon + 1 < stop && !read_port(colon + 1, stop, &url->port))
		return false;

	url->host = slice(start, colon ? colon : stop);
	if (url->host.length == 0)
		return false;
	if (stop < end)
		split_path(url, stop, end);
	return true;
}

static bool begins_with_slashes(const char *start, const char *end)
{
	return end - start > 1 && start[0] == '/' && start[1] == '/';
}

/* host:port without scheme: only when the digits are the last thing, or a slash follows them. */
static bool split_colon(struct url *url, const char *start, const char *colon, const char *end)
{
	const char *stop = skip_digits(colon + 1, end);
	size_t digits = (size_t)(stop - colon - 1);
	bool has_port = digits > 0 && digits <= PORT_DIGITS && (stop == end || *stop == '/');

	if (has_port && !read_port(colon + 1, stop, &url->port))
		return false;
	if (digits == 0 && stop == end)
		return false;
	if (begins_with_slashes(start, end))
		return split_host(url, start + 2, end);
	if (has_port)
		return split_host(url, start, end);
	split_path(url, start, end);
	return true;
}

static bool split_no_scheme(struct url *url, const char *start, const char *end)
{
	if (begins_with_slashes(start, end))
		return split_host(url, start + 2, end);
	split_path(url, start, end);
	return true;
}

/* phpredis rewrites "unix:" to "file:" before PHP sees it, and PHP knows "FILE:" too. */
static bool is_socket(struct slice scheme)
{
	return slice_is(scheme, "unix") ||
	       (scheme.length == 4 && strncasecmp(scheme.start, "file", 4) == 0);
}

/* What follows "scheme:". */
static bool split_after_scheme(struct url *url, const char *start, const char *end)
{
	if (start == end)
		return true;
	if (!begins_with_slashes(start, end)) {
		split_path(url, start, end);
		return true;
	}
	start += 2;
	if (is_socket(url->scheme) && start < end && *start == '/') {
		if (end - start > 2 && start[2] == ':') /* file:///c:/ */
			start++;
		split_path(url, start, end);
		return true;
	}
	return split_host(url, start, end);
}

static bool is_port_and_rest(const char *start, const char *end)
{
	const char *stop = skip_digits(start, end);

	return stop > start && stop - start <= PORT_DIGITS && (stop == end || *stop == '/');
}

/* False where php_url_parse_ex() returns NULL. */
static bool split_url(const char *start, const char *end, struct url *url)
{
	const char *colon = memchr(start, ':', (size_t)(end - start));

	*url = (struct url){ 0 };
	if (!colon)
		return split_no_scheme(url, start, end);
	if (colon == start)
		return split_colon(url, start, colon, end);
	if (!consists_of(slice(start, colon), "+-.")) {
		if (colon + 1 < end && colon < find_any(start, end, "?#"))
			return split_colon(url, start, colon, end);
		return split_no_scheme(url, start, end);
	}
	if (is_port_and_rest(colon + 1, end))
		return split_colon(url, start, colon, end);
	url->scheme = slice(start, colon);
	return split_after_scheme(url, colon + 1, end);
}

/* --- sentences --- */

/* A prefix with other characters may be "app?auth=..." with a second ? where a & belongs. */
static void add_prefix(struct text *text, const char *prefix)
{
	bool plain = consists_of(slice(prefix, prefix + strlen(prefix)), "-_.:");

	text_add(text, "&prefix=%s", plain || !*prefix ? prefix : "PREFIX");
}

/* The database that the writer may have meant: database=2, db=2, or a path /2. */
static int database_meant(const struct parser *parser)
{
	const struct url *url = &parser->url;
	int number = parser->options.database_meant;

	if (parser->store->database >= 0)
		return parser->store->database;
	if (number < 0 && url->host.start && url->path.length > 1 && url->path.length < 5 &&
	    is_number((struct slice){ url->path.start + 1, url->path.length - 1 }))
		return atoi(url->path.start + 1);
	return number;
}

static bool user_meant(const struct parser *parser)
{
	struct slice login = parser->url.login;

	return parser->store->user[0] || parser->options.auth_count > 1 ||
	       (slice_has(login, ':') && login.start[0] != ':');
}

static void add_auth(struct text *text, const struct parser *parser)
{
	if (user_meant(parser))
		text_add(text, "&auth[]=USER&auth[]=PASSWORD");
	else if (parser->options.secret_seen || parser->url.login.start)
		text_add(text, "&auth=PASSWORD");
}

static void add_address(struct text *text, const struct store_address *store)
{
	if (store->port == 0)
		text_add(text, "unix://%s", store->host);
	else
		text_add(text, "%s://%s:%u", store->tls ? "tls" : "tcp", store->host, store->port);
}

/* The line to write: what is meant, in a form that every phpredis reads the same way. */
static void add_line(struct text *text, const struct parser *parser)
{
	const struct store_address *store = parser->store;
	int database = database_meant(parser);

	text_add(text, "\"");
	add_address(text, store);
	text_add(text, "?timeout=%g&read_timeout=%g",
	         store->timeout_set && store->timeout_s > 0 ? store->timeout_s : 2,
	         store->read_timeout_s > 0 ? store->read_timeout_s : 5);
	if (store->weight > 1)
		text_add(text, "&weight=%d", store->weight);
	if (store->persistent)
		text_add(text, "&persistent=1");
	if (database >= 0)
		text_add(text, "&database=%d", database);
	if (store->prefix_set)
		add_prefix(text, store->prefix);
	add_auth(text, parser);
	text_add(text, "\"");
}

static void add_where(struct text *text, const struct store_address *store)
{
	if (store->port == 0)
		text_add(text, "%s", store->host);
	else
		text_add(text, strchr(store->host, ':') ? "[%s]:%u" : "%s:%u", store->host,
		         store->port);
}

/* Begin to describe a trap; false when a more serious one is known. */
static bool trap_begin(struct parser *parser, enum trap trap, struct text *text)
{
	if (trap >= parser->trap)
		return false;
	parser->trap = trap;
	*text = TEXT(parser->path->trap);
	add_where(text, parser->store);
	text_add(text, ": ");
	return true;
}

PRINTF_LIKE(3, 4)
static void trap_add(struct parser *parser, enum trap trap, const char *format, ...)
{
	struct text text;
	va_list args;

	if (!trap_begin(parser, trap, &text))
		return;
	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
	text_add(&text, "; write ");
	add_line(&text, parser);
}

PRINTF_LIKE(2, 3)
static int refuse(struct parser *parser, const char *format, ...)
{
	va_list args;

	text_add(&parser->why, "part %zu of session.save_path ", parser->part);
	va_start(args, format);
	text_vadd(&parser->why, format, args);
	va_end(args);
	return -EINVAL;
}

static int refuse_with_line(struct parser *parser, const char *because)
{
	(void)refuse(parser, "%s; write ", because);
	add_line(&parser->why, parser);
	return -EINVAL;
}

/* --- the query, as PHP reads a query string --- */

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* One character of @piece at *@i, decoded; moves *@i past it. */
static char decode_one(struct slice piece, size_t *i)
{
	char c = piece.start[(*i)++];

	if (c == '+')
		return ' ';
	if (c == '%' && *i + 1 < piece.length) {
		int high = hex_digit(piece.start[*i]), low = hex_digit(piece.start[*i + 1]);

		if (high >= 0 && low >= 0) {
			*i += 2;
			return (char)(high * 16 + low);
		}
	}
	/* php_url_parse_ex() replaces control characters before anything is decoded. */
	return iscntrl((unsigned char)c) ? '_' : c;
}

/* False when it does not fit or holds a NUL; then @to has what came before. */
static bool decode(struct slice piece, char *to, size_t size)
{
	size_t length = 0;
	bool fits = true;

	for (size_t i = 0; fits && i < piece.length;) {
		char c = decode_one(piece, &i);

		fits = c != '\0' && length + 1 < size;
		if (fits)
			to[length++] = c;
	}
	to[length] = '\0';
	return fits;
}

static void replace_any(char *text, const char *chars, char with)
{
	for (; *text; text++)
		if (strchr(chars, *text))
			*text = with;
}

/*
 * What php_register_variable_ex() makes of a name: leading blanks go, blanks and dots become '_',
 * "name[key]" is an array; a '[' that is not closed is one more '_'.  Cuts @name in place; @key is
 * NULL for a plain name, empty for "name[]"; @nested is set for "name[key][...]".
 */
static char *name_normalize(char *name, char **key, bool *nested)
{
	name += strspn(name, " ");
	char *bracket = strchr(name, '[');
	char *close = bracket ? strchr(bracket, ']') : NULL;

	*key = NULL;
	*nested = close && close[1] == '[' && strchr(close + 1, ']');
	if (bracket && close) {
		*bracket = *close = '\0';
		*key = bracket + 1;
		if (isspace((unsigned char)**key) && (*key)[1] == '\0')
			(*key)++;
	}
	replace_any(name, bracket == name ? " ." : " .[", '_');
	return name;
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
		if (!meant &&
		    (options->secret_seen || !consists_of(slice(name, name + strlen(name)), "_-")))
			name = "";
		copy(options->unknown, sizeof(options->unknown), name);
	}
	options->secret_seen |= secret;
	if (meant && strcmp(meant, "database") == 0 && is_number(value) && value.length < 4)
		options->database_meant = atoi(value.start);
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
	copy(options->auth[i].key, NAME_SIZE, key);
	options->auth_count++;

	unsigned long number = strtoul(key, &rest, 10);
	bool canonical = is_digit(key[0]) && *rest == '\0' && (key[0] != '0' || !key[1]);
	if (canonical && number < UINT_MAX && number >= options->auth_next)
		options->auth_next = number + 1;
	return i;
}

static void auth_set(struct options *options, const char *key, const char *text)
{
	struct text next;
	char number[NAME_SIZE];

	if (!options->values[OPTION_AUTH].array) {
		options->auth_count = 0;
		options->auth_next = 0;
	}
	if (key[0] == '\0') {
		next = TEXT(number);
		text_add(&next, "%lu", options->auth_next);
		key = number;
	}
	size_t i = auth_entry(options, key);
	if (i < AUTH_ENTRIES)
		copy(options->auth[i].text, STORE_AUTH_SIZE, text);
}

/* One "name=value" of the query; a later one replaces an earlier one. */
static int option_set(struct parser *parser, struct slice pair)
{
	struct options *options = &parser->options;
	char buffer[NAME_SIZE], text[STORE_AUTH_SIZE], *key;
	bool nested;
	const char *end = pair.start + pair.length;
	const char *equals = find_any(pair.start, end, "=");

	(void)decode(slice(pair.start, equals), buffer, sizeof(buffer));
	const char *name = name_normalize(buffer, &key, &nested);
	int option = option_find(name);

	struct slice value = slice(equals < end ? equals + 1 : end, end);
	if (option < 0) {
		option_unknown(options, name, value);
		return 0;
	}
	if (!decode(value, text, sizeof(text)))
		return refuse(parser, "has a value of '%s' that is too long or holds %%00",
		              option_names[option]);
	if (option == OPTION_AUTH) {
		options->secret_seen = true;
		if (key)
			auth_set(options, key, nested ? "Array" : text);
	}
	options->values[option].set = true;
	options->values[option].array = key;
	copy(options->values[option].text, STORE_AUTH_SIZE, text);
	return 0;
}

static int query_read(struct parser *parser, const struct url *url)
{
	const char *at = url->query.start;

	if (!at)
		return 0;
	const char *end = at + url->query.length;
	/* phpredis puts "#fragment" back: the pieces are neighbours, so the slice just grows. */
	if (url->fragment.start)
		end = url->fragment.start + url->fragment.length;
	while (at < end) {
		const char *stop = find_any(at, end, "&");
		int r = stop > at ? option_set(parser, slice(at, stop)) : 0;

		if (r < 0)
			return r;
		at = stop + 1;
	}
	return 0;
}

/* --- values, as PHP converts strings --- */

/* The number that @text begins with, or 0; *@whole when nothing else follows. */
static double leading_number(const char *text, bool *whole)
{
	const char *end = text + strlen(text);
	char number[STORE_AUTH_SIZE];

	text += strspn(text, " \t\n\r\v\f");
	const char *at = text + strspn(text, "+-");

	*whole = false;
	if (at - text > 1)
		return 0;
	const char *stop = skip_digits(at, end);
	bool digits = stop > at;
	if (stop < end && *stop == '.') {
		const char *decimals = stop + 1;

		stop = skip_digits(decimals, end);
		digits |= stop > decimals;
	}
	if (!digits)
		return 0;
	if (stop < end && (*stop | 0x20) == 'e') {
		const char *exponent = stop + 1;

		exponent += exponent < end && (*exponent == '+' || *exponent == '-');
		if (skip_digits(exponent, end) > exponent)
			stop = skip_digits(exponent, end);
	}
	memcpy(number, text, (size_t)(stop - text));
	number[stop - text] = '\0';
	*whole = stop == end;
	return strtod(number, NULL); /* "C" locale; no hex, inf or nan gets here */
}

static double number_read(const struct value *value)
{
	bool whole;

	return value->array ? 1 : leading_number(value->text, &whole); /* to PHP an array is 1 */
}

/* The low 32 bits of a PHP integer, as phpredis stores it. */
static int int_read(const struct value *value)
{
	double number = number_read(value);

	if (number > DBL_MAX || number < -DBL_MAX)
		return 0;
	if (number >= 9.2e18 || number <= -9.2e18)
		return number > 0 ? -1 : 0; /* LONG_MAX and LONG_MIN, cut */
	return (int)(unsigned int)(long long)number;
}

static bool is_true(const char *text)
{
	return strcasecmp(text, "1") == 0 || strcasecmp(text, "true") == 0 ||
	       strcasecmp(text, "yes") == 0;
}

/* An array where one value is wanted, or "250ms" where a number is: PHP reads something else. */
static void check_value(struct parser *parser, enum option option)
{
	const struct value *value = &parser->options.values[option];
	bool whole = true;

	if (!value->set || option == OPTION_AUTH || option == OPTION_STREAM)
		return;
	if (option != OPTION_PREFIX && option != OPTION_PERSISTENT &&
	    option != OPTION_PERSISTENT_ID)
		(void)leading_number(value->text, &whole);
	if (value->array)
		trap_add(parser, TRAP_VALUE, "%s[] is an array, PHP reads it as %s",
		         option_names[option], option == OPTION_PREFIX ? "'Array'" : "1");
	else if (!whole)
		trap_add(parser, TRAP_VALUE,
		         "the value of %s is no plain number, PHP reads it as %g",
		         option_names[option], number_read(value));
}

static const char *auth_entry_text(struct options *options, const char *name, const char *index)
{
	for (size_t i = 0; i < options->auth_count; i++)
		if (strcmp(options->auth[i].key, name) == 0)
			return options->auth[i].text;
	for (size_t i = 0; i < options->auth_count; i++)
		if (strcmp(options->auth[i].key, index) == 0)
			return options->auth[i].text;
	return NULL;
}

/* redis_extract_auth_info(): one entry is the password, two are user and password. */
static int auth_from_array(struct parser *parser)
{
	struct options *options = &parser->options;
	bool two = options->auth_count == 2;
	const char *user = two ? auth_entry_text(options, "user", "0") : NULL;
	const char *password = auth_entry_text(options, "pass", two ? "1" : "0");

	if (options->auth_count > 2 || !password)
		return 0;
	if (user && !*user)
		return refuse(parser, "has an empty user in auth[], which Redis refuses; "
		                      "write auth=PASSWORD");
	parser->store->has_auth = true;
	copy(parser->store->user, STORE_AUTH_SIZE, user ? user : "");
	copy(parser->store->password, STORE_AUTH_SIZE, password);
	return 0;
}

static int auth_apply(struct parser *parser)
{
	const struct value *auth = &parser->options.values[OPTION_AUTH];

	if (auth->array)
		return auth_from_array(parser);
	parser->store->has_auth = auth->set;
	copy(parser->store->password, STORE_AUTH_SIZE, auth->text);
	return 0;
}

static int prefix_apply(struct parser *parser)
{
	const struct value *prefix = &parser->options.values[OPTION_PREFIX];
	const char *text = prefix->array ? "Array" : prefix->text;

	parser->store->prefix_set = prefix->set;
	if (!prefix->set)
		text = "PHPREDIS_SESSION:";
	if (!text_copy(parser->store->prefix, STORE_PREFIX_SIZE, text))
		return refuse(parser, "has a prefix of more than %d bytes", STORE_PREFIX_SIZE - 1);
	return 0;
}

static int numbers_apply(struct parser *parser)
{
	const struct value *values = parser->options.values;
	struct store_address *store = parser->store;

	store->weight = values[OPTION_WEIGHT].set ? int_read(&values[OPTION_WEIGHT]) : 1;
	store->database = values[OPTION_DATABASE].set ? int_read(&values[OPTION_DATABASE]) : -1;
	store->timeout_set = values[OPTION_TIMEOUT].set;
	store->timeout_s = store->timeout_set ? number_read(&values[OPTION_TIMEOUT]) : 86400;
	store->read_timeout_set = values[OPTION_READ_TIMEOUT].set;
	store->read_timeout_s = number_read(&values[OPTION_READ_TIMEOUT]);
	store->persistent = is_true(values[OPTION_PERSISTENT].text);
	if (store->weight <= 0)
		return refuse(parser, "has a weight that is not above 0, which PHP refuses");
	if (store->timeout_s <= 0)
		return refuse(parser, "has a timeout that is not above 0, which PHP refuses; "
		                      "write seconds: timeout=2");
	return 0;
}

static int options_apply(struct parser *parser)
{
	int r = auth_apply(parser);

	if (r == 0)
		r = prefix_apply(parser);
	if (r == 0)
		r = numbers_apply(parser);
	return r;
}

/* --- where it leads --- */

/* PHP's transports, case-sensitive. */
static bool is_tls(struct slice scheme)
{
	static const char *const names[] = { "tls",     "ssl",     "tlsv1.0",
		                             "tlsv1.1", "tlsv1.2", "tlsv1.3" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (slice_is(scheme, names[i]))
			return true;
	return false;
}

static int address_set(struct parser *parser, struct slice host, int port)
{
	if (host.length >= STORE_HOST_SIZE)
		return refuse(parser, "has a host or path of more than %d bytes",
		              STORE_HOST_SIZE - 1);
	memcpy(parser->store->host, host.start, host.length);
	parser->store->host[host.length] = '\0';
	parser->store->port = (uint16_t)port;
	return 0;
}

/* Two brackets around an address in 5.3; 6.x leaves ours alone. */
static int bracketed_set(struct parser *parser, struct slice host, int port)
{
	struct slice inner = { host.start + 1, host.length - 2 };
	int r = address_set(parser, inner, port);

	if (r == 0 && !is_address6(parser->store->host))
		return refuse(parser, "has brackets around something that is no IPv6 address");
	if (r == 0)
		trap_add(parser, TRAP_IPV6,
		         "phpredis before 6.0 cannot connect to an address in brackets");
	return r;
}

static int host_set(struct parser *parser, struct slice host, int port)
{
	if (slice_has(host, ';'))
		return refuse(parser, "has a ';', which separates nothing: PHP takes it as a part "
		                      "of the host; separate stores with a comma");
	if (is_number(host))
		return refuse(parser, "has a bare number where the host should be");
	if (host.length > 2 && host.start[0] == '[' && host.start[host.length - 1] == ']')
		return bracketed_set(parser, host, port);
	if (!consists_of(host, "-._:"))
		return refuse(parser, "has a host with characters that no host name has");
	int r = address_set(parser, host, port);
	if (r == 0 && slice_has(host, ':') && !is_address6(parser->store->host))
		return refuse(parser, "is not read as host and port; write "
		                      "\"tcp://HOST:PORT?...\", and an IPv6 address with its port: "
		                      "\"tcp://::1:6379?...\"");
	return r;
}

static int from_host(struct parser *parser, const struct url *url)
{
	bool login_cut =
		slice_has(url->path, '@') || (slice_has(url->fragment, '@') && !url->query.start);

	if (login_cut)
		return refuse(parser, "has a / or # before its @, so that PHP takes the beginning "
		                      "for the host; write \"tcp://HOST:PORT?auth=PASSWORD\"");
	parser->store->tls = is_tls(url->scheme);
	if (is_socket(url->scheme) || (!url->scheme.start && slice_is(url->host, "unix")))
		return refuse(parser, "is no absolute path of a unix socket; write three slashes: "
		                      "\"unix:///run/redis.sock?...\"");
	int r = host_set(parser, url->host, url->port ? url->port : DEFAULT_PORT);
	if (r < 0)
		return r;
	bool known = !url->scheme.start || parser->store->tls || slice_is(url->scheme, "tcp");
	parser->store->tls |= slice_is(url->scheme, "rediss");
	if (!known)
		return refuse_with_line(parser, "has a scheme that PHP has no transport for");
	return 0;
}

static int from_socket(struct parser *parser, const struct url *url)
{
	if (url->scheme.start && !is_socket(url->scheme) && !slice_is(url->scheme, "UNIX"))
		return refuse(parser, "has one slash where two belong, so that PHP takes it for a "
		                      "unix socket; write \"tcp://HOST:PORT?...\"");
	for (size_t i = 0; i < url->path.length; i++)
		if (iscntrl((unsigned char)url->path.start[i]))
			return refuse(parser, "has control characters in its path");
	/* "/run/redis.sock&auth=..." would show the password as a path. */
	if (slice_has(url->path, '=') || slice_has(url->path, '&'))
		return refuse(parser, "has no ? between the path of the socket and its options");
	if (memmem(url->path.start, url->path.length, "://", 3))
		return refuse(parser, "has a :// in its path, where phpredis cuts it");
	return address_set(parser, url->path, 0);
}

/* @host and @port are known to be one, PHP is known to see something else. */
static int refuse_no_scheme(struct parser *parser, struct slice host, int port, const char *sees)
{
	parser->store->tls = false;
	if (address_set(parser, host, port) < 0)
		return -EINVAL;
	(void)refuse(parser, "has options but no scheme, so that PHP %s; write ", sees);
	add_line(&parser->why, parser);
	return -EINVAL;
}

/* "redis:6379?database=2": PHP reads the host as the scheme and the port as the host. */
static int from_scheme(struct parser *parser, const struct url *url)
{
	const char *end = url->path.start + url->path.length;
	char sees[sizeof("connects to a host named '65535'")];
	struct text text = TEXT(sees);
	int port;

	if (!is_number(url->path) || !read_port(url->path.start, end, &port))
		return refuse(parser, "has a scheme without //; write \"tcp://HOST:PORT?...\"");
	text_add(&text, "connects to a host named '%d'", port);
	return refuse_no_scheme(parser, url->scheme, port, sees);
}

/* "my_redis:6379?database=2": no scheme has an underscore, so PHP takes all of it as the host. */
static bool is_host_and_port(struct slice path, struct slice *host, int *port)
{
	const char *end = path.start + path.length;
	const char *colon = find_any(path.start, end, ":");

	*host = slice(path.start, colon);
	return colon < end && is_number(slice(colon + 1, end)) && consists_of(*host, "-._") &&
	       read_port(colon + 1, end, port);
}

/* phpredis takes a path that is no socket as a host: good for "redis?database=2". */
static int from_path(struct parser *parser, const struct url *url)
{
	struct slice host;
	int port;

	if (url->scheme.start && !slice_is(url->scheme, "tcp"))
		return from_scheme(parser, url);
	if (is_host_and_port(url->path, &host, &port))
		return refuse_no_scheme(parser, host, port,
		                        "looks for a host with a colon in its name");
	if (slice_has(url->path, '['))
		return refuse(parser, "is no address for the handler redis: seed[]= belongs to "
		                      "rediscluster, and an IPv6 address is written "
		                      "\"tcp://::1:6379?...\"");
	if (slice_has(url->path, '/'))
		return refuse(parser, "has no scheme, so that PHP takes the slash as a part of the "
		                      "host; write \"tcp://HOST:PORT?database=N\"");
	int r = host_set(parser, url->path, DEFAULT_PORT);
	if (r == 0 && url->scheme.start)
		trap_add(parser, TRAP_SCHEME, "'tcp:' without // is read by luck");
	if (r == 0 && slice_has(url->path, ':'))
		trap_add(parser, TRAP_IPV6, "without tcp:// PHP takes all of it for the address");
	return r;
}

/* What a raw comma in a password leaves behind: its host would be shown. */
static bool may_be_secret(const struct parser *parser, struct slice scheme)
{
	return parser->auth_before && (!scheme.start || scheme.start[scheme.length + 1] != '/');
}

static int address_apply(struct parser *parser, const struct url *url)
{
	if (may_be_secret(parser, url->scheme))
		return refuse(parser, "has no scheme and follows an auth=: write a comma in a "
		                      "password as %%2C and a blank as %%20, or tcp:// before the "
		                      "host");
	if (url->host.start)
		return from_host(parser, url);
	if (!url->path.start)
		return refuse(parser, "names no host; write \"tcp://HOST:PORT?...\"");
	if (url->path.length > 0 && url->path.start[0] == '/')
		return from_socket(parser, url);
	return from_path(parser, url);
}

/* --- traps --- */

static void check_auth(struct parser *parser, const struct url *url)
{
	const struct store_address *store = parser->store;

	if (url->login.start)
		trap_add(parser, TRAP_LOGIN_IGNORED,
		         "phpredis ignores user and password before the @ and logs in with auth= "
		         "only");
	if (parser->options.values[OPTION_AUTH].set && !store->has_auth)
		trap_add(parser, TRAP_AUTH_IGNORED,
		         "phpredis ignores auth[] in this form and does not log in; one entry is "
		         "the password, two are user and password");
	if (store->has_auth && !store->password[0])
		trap_add(parser, TRAP_AUTH_EMPTY,
		         "auth= is empty, PHP logs in with an empty password, which Redis refuses");
}

static void check_database(struct parser *parser, const struct url *url)
{
	if (url->host.start && url->path.length > 1)
		trap_add(parser, TRAP_DATABASE,
		         "phpredis ignores the path after the host; database= is what counts");
}

static void check_unknown(struct parser *parser)
{
	const struct options *options = &parser->options;

	if (!options->unknown_seen)
		return;
	if (options->meant)
		trap_add(parser, TRAP_UNKNOWN_OPTION,
		         "phpredis ignores the option '%s', %s is meant", options->unknown,
		         options->meant);
	else if (options->unknown[0])
		trap_add(parser, TRAP_UNKNOWN_OPTION, "phpredis ignores the option '%s'",
		         options->unknown);
	else
		trap_add(parser, TRAP_UNKNOWN_OPTION,
		         "phpredis ignores an option that it does not know (a & in a password is "
		         "written %%26)");
}

static void check_timeouts(struct parser *parser)
{
	const struct store_address *store = parser->store;

	if (store->read_timeout_s < 0)
		trap_add(parser, TRAP_FOREVER, "with read_timeout below 0 PHP waits for ever");
	if (!store->timeout_set && store->port != 0)
		trap_add(parser, TRAP_TIMEOUT,
		         "without timeout= PHP waits a day for a connection%s",
		         store->read_timeout_s > 0 ? "" : ", and 60 s for an answer");
	else if (store->read_timeout_s >= 0 && store->read_timeout_s < 1e-6)
		trap_add(parser, TRAP_TIMEOUT,
		         "without read_timeout= PHP waits default_socket_timeout (60 s) for an "
		         "answer");
}

static void check_traps(struct parser *parser, const struct url *url)
{
	check_auth(parser, url);
	check_database(parser, url);
	check_unknown(parser);
	if (url->fragment.start && !url->query.start)
		trap_add(parser, TRAP_FRAGMENT, "PHP ignores what follows the #");
	for (int option = 0; option < OPTION_COUNT; option++)
		check_value(parser, (enum option)option);
	if (parser->options.values[OPTION_STREAM].set)
		trap_add(parser, TRAP_STREAM, "phpredis before 6.0 ignores stream[]");
	check_timeouts(parser);
}

/* --- the list --- */

static int part_read(struct parser *parser, const char *start, const char *end)
{
	struct url *url = &parser->url;

	if (parser->path->count == STORES_MAX)
		return refuse(parser, "is one more than the %d stores that can be checked",
		              STORES_MAX);
	parser->store = &parser->path->stores[parser->path->count];
	memset(&parser->options, 0, sizeof(parser->options));
	parser->options.database_meant = -1;
	if (!split_url(start, end, url))
		return refuse(parser, "is no URL that PHP can parse; write "
		                      "\"tcp://HOST:PORT?...\"");
	int r = query_read(parser, url);
	if (r == 0)
		r = options_apply(parser);
	if (r == 0)
		r = address_apply(parser, url);
	if (r < 0)
		return r;
	check_traps(parser, url);
	parser->auth_before |= parser->options.secret_seen || url->login.start;
	parser->path->count++;
	return 0;
}

static bool is_separator(char c)
{
	return c == ',' || isspace((unsigned char)c);
}

static int list_read(struct parser *parser, const char *text)
{
	while (*text) {
		const char *end = text;

		while (*end && !is_separator(*end))
			end++;
		if (end > text) {
			parser->part++;
			int r = part_read(parser, text, end);
			if (r < 0)
				return r;
		}
		text = *end ? end + 1 : end;
	}
	return 0;
}

int save_path_parse(const char *text, struct save_path *path, char *why, size_t why_size)
{
	struct parser parser = {
		.path = path,
		.why = text_init(why, why_size),
		.trap = TRAP_NONE,
	};

	memset(path, 0, sizeof(*path));
	int r = list_read(&parser, text);
	if (r < 0)
		return r;
	if (path->count == 0) {
		text_add(&parser.why, "session.save_path is empty; write \"tcp://HOST:PORT?...\"");
		return -EINVAL;
	}
	return 0;
}
