#include "session/savepath.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "session/endpoint.h"
#include "session/options.h"
#include "session/parser.h"
#include "session/traps.h"
#include "session/url.h"
#include "util/text.h"

static int apply_login(struct parser *parser)
{
	struct store_address *store = parser->store;
	const char *user, *password;

	if (!options_login(&parser->options, &user, &password))
		return 0;
	if (user && !*user)
		return parser_refuse(parser, "has an empty user in auth[], which Redis refuses; "
		                             "write auth=PASSWORD");
	store->has_auth = true;
	text_copy_cut(store->user, sizeof(store->user), user ? user : "");
	text_copy_cut(store->password, sizeof(store->password), password);
	return 0;
}

static int apply_prefix(struct parser *parser)
{
	const struct value *prefix = &parser->options.values[OPTION_PREFIX];
	const char *text = prefix->array ? "Array" : prefix->text;

	parser->store->prefix_set = prefix->set;
	if (!prefix->set)
		text = "PHPREDIS_SESSION:";
	if (!text_copy(parser->store->prefix, STORE_PREFIX_SIZE, text))
		return parser_refuse(parser, "has a prefix of more than %d bytes",
		                     STORE_PREFIX_SIZE - 1);
	return 0;
}

static int apply_numbers(struct parser *parser)
{
	const struct value *values = parser->options.values;
	struct store_address *store = parser->store;

	store->weight = values[OPTION_WEIGHT].set ? value_int(&values[OPTION_WEIGHT]) : 1;
	store->database = values[OPTION_DATABASE].set ? value_int(&values[OPTION_DATABASE]) : -1;
	store->timeout_set = values[OPTION_TIMEOUT].set;
	store->timeout_s = store->timeout_set ? value_number(&values[OPTION_TIMEOUT]) : 86400;
	store->read_timeout_set = values[OPTION_READ_TIMEOUT].set;
	store->read_timeout_s = value_number(&values[OPTION_READ_TIMEOUT]);
	store->persistent = value_is_true(&values[OPTION_PERSISTENT]);
	if (store->weight <= 0)
		return parser_refuse(parser, "has a weight that is not above 0, which PHP refuses");
	if (store->timeout_s <= 0)
		return parser_refuse(parser,
		                     "has a timeout that is not above 0, which PHP refuses; "
		                     "write seconds: timeout=2");
	return 0;
}

static int apply_options(struct parser *parser)
{
	int r = apply_login(parser);

	if (r == 0)
		r = apply_prefix(parser);
	if (r == 0)
		r = apply_numbers(parser);
	return r;
}

static int read_url(struct parser *parser, const char *start, const char *end)
{
	if (!url_split(start, end, &parser->url))
		return parser_refuse(parser, "is no URL that PHP can parse; write "
		                             "\"tcp://HOST:PORT?...\"");
	if (!options_read(&parser->url, &parser->options))
		return parser_refuse(parser, "has a value of '%s' that is too long or holds %%00",
		                     options_name(parser->options.refused));
	return 0;
}

static int read_part(struct parser *parser, const char *start, const char *end)
{
	struct save_path *path = parser->path;

	if (path->count == STORES_MAX)
		return parser_refuse(parser, "is one more than the %d stores that can be checked",
		                     STORES_MAX);
	parser->store = &path->stores[path->count];
	int r = read_url(parser, start, end);
	if (r == 0)
		r = apply_options(parser);
	if (r == 0)
		r = endpoint_read(parser);
	if (r < 0)
		return r;
	traps_check(parser);
	parser->login_before |= parser->options.secret_seen || parser->url.login.start;
	path->count++;
	return 0;
}

static bool is_separator(char c)
{
	return c == ',' || isspace((unsigned char)c);
}

static int read_list(struct parser *parser, const char *text)
{
	while (*text) {
		const char *end = text;

		while (*end && !is_separator(*end))
			end++;
		if (end > text) {
			parser->part++;
			int r = read_part(parser, text, end);
			if (r < 0)
				return r;
		}
		text = *end ? end + 1 : end;
	}
	return 0;
}

/* PHP divides by the sum, in as many bits: a multiple of 2^32 ends each worker with SIGFPE. */
static uint32_t sum_of_weights(const struct save_path *path)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < path->count; i++)
		sum += (uint32_t)path->stores[i].weight;
	return sum;
}

int save_path_parse(const char *text, struct save_path *path, char *why, size_t why_size)
{
	return save_path_parse_for(text, 0, path, why, why_size);
}

int save_path_parse_for(const char *text, unsigned phpredis, struct save_path *path, char *why,
                        size_t why_size)
{
	struct parser parser = {
		.phpredis = phpredis,
		.path = path,
		.why = text_init(why, why_size),
		.trap = TRAP_NONE,
	};

	memset(path, 0, sizeof(*path));
	int r = read_list(&parser, text);
	if (r < 0)
		return r;
	if (path->count == 0) {
		text_add(&parser.why, "session.save_path is empty; write \"tcp://HOST:PORT?...\"");
		return -EINVAL;
	}
	if (sum_of_weights(path) == 0) {
		text_add(&parser.why, "session.save_path has weights on which PHP crashes; write "
		                      "weights below 1000");
		return -EINVAL;
	}
	return 0;
}
