#include "session/traps.h"

static bool is_numeric(enum option option)
{
	return option == OPTION_DATABASE || option == OPTION_READ_TIMEOUT ||
	       option == OPTION_RETRY_INTERVAL || option == OPTION_TIMEOUT ||
	       option == OPTION_WEIGHT;
}

/* An array where one value is wanted, or "250ms" where a number is: PHP reads something else. */
static void check_value(struct parser *parser, enum option option)
{
	const struct value *value = &parser->options.values[option];

	if (!value->set || option == OPTION_AUTH || option == OPTION_STREAM)
		return;
	if (value->array)
		parser_trap(parser, TRAP_VALUE, "%s[] is an array, PHP reads it as %s",
		            options_name(option), option == OPTION_PREFIX ? "'Array'" : "1");
	else if (is_numeric(option) && !value_is_number(value))
		parser_trap(parser, TRAP_VALUE,
		            "the value of %s is no plain number, PHP reads it as %g",
		            options_name(option), value_number(value));
}

static void check_auth(struct parser *parser)
{
	const struct store_address *store = parser->store;

	if (parser->url.login.start)
		parser_trap(
			parser, TRAP_LOGIN_IGNORED,
			"phpredis ignores user and password before the @ and logs in with auth= "
			"only");
	if (parser->options.values[OPTION_AUTH].set && !store->has_auth)
		parser_trap(
			parser, TRAP_AUTH_IGNORED,
			"phpredis ignores auth[] in this form and does not log in; one entry is "
			"the password, two are user and password");
	if (store->has_auth && !store->password[0])
		parser_trap(
			parser, TRAP_AUTH_EMPTY,
			"auth= is empty, PHP logs in with an empty password, which Redis refuses");
}

static void check_database(struct parser *parser)
{
	const struct url *url = &parser->url;

	if (url->host.start && url->path.length > 1)
		parser_trap(parser, TRAP_DATABASE,
		            "phpredis ignores the path after the host; database= is what counts");
}

static void check_unknown(struct parser *parser)
{
	const struct options *options = &parser->options;

	if (!options->unknown_seen)
		return;
	if (options->meant)
		parser_trap(parser, TRAP_UNKNOWN_OPTION,
		            "phpredis ignores the option '%s', %s is meant", options->unknown,
		            options->meant);
	else if (options->unknown[0])
		parser_trap(parser, TRAP_UNKNOWN_OPTION, "phpredis ignores the option '%s'",
		            options->unknown);
	else
		parser_trap(
			parser, TRAP_UNKNOWN_OPTION,
			"phpredis ignores an option that it does not know (a & in a password is "
			"written %%26)");
}

static void check_timeouts(struct parser *parser)
{
	const struct store_address *store = parser->store;

	if (store->read_timeout_s < 0)
		parser_trap(parser, TRAP_FOREVER, "with read_timeout below 0 PHP waits for ever");
	if (!store->timeout_set && store->port != 0)
		parser_trap(parser, TRAP_TIMEOUT,
		            "without timeout= PHP waits a day for a connection%s",
		            store->read_timeout_s > 0 ? "" : ", and 60 s for an answer");
	else if (store->read_timeout_s >= 0 && store->read_timeout_s < 1e-6)
		parser_trap(parser, TRAP_TIMEOUT,
		            "without read_timeout= PHP waits default_socket_timeout (60 s) for an "
		            "answer");
}

void traps_check(struct parser *parser)
{
	const struct url *url = &parser->url;

	check_auth(parser);
	check_database(parser);
	check_unknown(parser);
	if (url->fragment.start && !url->query.start)
		parser_trap(parser, TRAP_FRAGMENT, "PHP ignores what follows the #");
	for (int option = 0; option < OPTION_COUNT; option++)
		check_value(parser, (enum option)option);
	if (parser->options.values[OPTION_STREAM].set && parser->phpredis < 6)
		parser_trap(parser, TRAP_STREAM, "phpredis before 6.0 ignores stream[]");
	check_timeouts(parser);
}
