#include "session/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "session/slice.h"
#include "util/text.h"

static bool is_address6(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET6, host, &address) == 1;
}

static int set(struct parser *parser, struct slice host, int port)
{
	if (host.length >= STORE_HOST_SIZE)
		return parser_refuse(parser, "has a host or path of more than %d bytes",
		                     STORE_HOST_SIZE - 1);
	memcpy(parser->store->host, host.start, host.length);
	parser->store->host[host.length] = '\0';
	parser->store->port = (uint16_t)port;
	return 0;
}

/* Two brackets around an address in 5.3; 6.x leaves ours alone. */
static int set_bracketed(struct parser *parser, struct slice host, int port)
{
	struct slice inner = { host.start + 1, host.length - 2 };
	int r = set(parser, inner, port);

	if (r == 0 && !is_address6(parser->store->host))
		return parser_refuse(
			parser,
			"has brackets around something with colons that is no IPv6 address");
	if (r == 0 && parser->phpredis < 6)
		parser_trap(parser, TRAP_IPV6,
		            "phpredis before 6.0 cannot connect to an address in brackets");
	return r;
}

static bool is_bracketed(struct slice host)
{
	return host.length > 2 && host.start[0] == '[' && host.start[host.length - 1] == ']';
}

static int set_host(struct parser *parser, struct slice host, int port)
{
	if (is_bracketed(host) && slice_has(host, ':'))
		return set_bracketed(parser, host, port);
	if (is_bracketed(host)) /* PHP takes them off any host */
		host = (struct slice){ host.start + 1, host.length - 2 };
	if (slice_has(host, ';'))
		return parser_refuse(parser,
		                     "has a ';', which separates nothing: PHP takes it as a part "
		                     "of the host; separate stores with a comma");
	if (slice_is_number(host))
		return parser_refuse(parser, "has a bare number where the host should be");
	if (!slice_consists_of(host, "-._:"))
		return parser_refuse(parser, "has a host with characters that no host name has");
	int r = set(parser, host, port);
	if (r == 0 && slice_has(host, ':') && !is_address6(parser->store->host))
		return parser_refuse(parser,
		                     "is not read as host and port; write "
		                     "\"tcp://HOST:PORT?...\", and an IPv6 address with its port: "
		                     "\"tcp://::1:6379?...\"");
	return r;
}

static int from_host(struct parser *parser)
{
	const struct url *url = &parser->url;
	bool login_cut =
		slice_has(url->path, '@') || (slice_has(url->fragment, '@') && !url->query.start);

	if (login_cut)
		return parser_refuse(parser,
		                     "has a / or # before its @, so that PHP takes the beginning "
		                     "for the host; write \"tcp://HOST:PORT?auth=PASSWORD\"");
	parser->store->tls = url_is_tls(url->scheme);
	if (url_is_socket(url->scheme) || (!url->scheme.start && slice_is(url->host, "unix")))
		return parser_refuse(parser,
		                     "is no absolute path of a unix socket; write three slashes: "
		                     "\"unix:///run/redis.sock?...\"");
	int r = set_host(parser, url->host, url->port ? url->port : STORE_PORT);
	if (r < 0)
		return r;
	bool known = !url->scheme.start || parser->store->tls || slice_is(url->scheme, "tcp");
	parser->store->tls |= slice_is(url->scheme, "rediss");
	if (!known)
		return parser_refuse_with_line(parser,
		                               "has a scheme that PHP has no transport for");
	return 0;
}

static int from_socket(struct parser *parser)
{
	const struct url *url = &parser->url;

	if (url->scheme.start && !url_is_socket(url->scheme) && !slice_is(url->scheme, "UNIX"))
		return parser_refuse(parser,
		                     "has one slash where two belong, so that PHP takes it for a "
		                     "unix socket; write \"tcp://HOST:PORT?...\"");
	for (size_t i = 0; i < url->path.length; i++)
		if (iscntrl((unsigned char)url->path.start[i]))
			return parser_refuse(parser, "has control characters in its path");
	/* "/run/redis.sock&auth=..." would show the password as a path. */
	if (slice_has(url->path, '=') || slice_has(url->path, '&'))
		return parser_refuse(parser,
		                     "has no ? between the path of the socket and its options");
	if (memmem(url->path.start, url->path.length, "://", 3))
		return parser_refuse(parser, "has a :// in its path, where phpredis cuts it");
	return set(parser, url->path, 0);
}

/* @host and @port are known to be one, PHP is known to see something else. */
static int refuse_no_scheme(struct parser *parser, struct slice host, int port, const char *sees)
{
	parser->store->tls = false;
	if (set(parser, host, port) < 0)
		return -EINVAL;
	return parser_refuse_with_line(parser, "has options but no scheme, so that PHP %s", sees);
}

/* "redis:6379?database=2": PHP reads the host as the scheme and the port as the host. */
static int from_scheme(struct parser *parser)
{
	const struct url *url = &parser->url;
	const char *end = url->path.start + url->path.length;
	char sees[sizeof("connects to a host named '65535'")];
	struct text text = TEXT(sees);
	int port;

	if (!slice_is_number(url->path) || !url_port(url->path.start, end, &port))
		return parser_refuse(parser,
		                     "has a scheme without //; write \"tcp://HOST:PORT?...\"");
	text_add(&text, "connects to a host named '%d'", port);
	return refuse_no_scheme(parser, url->scheme, port, sees);
}

/* "my_redis:6379?database=2": no scheme has an underscore, so PHP takes all of it as the host. */
static bool is_host_and_port(struct slice path, struct slice *host, int *port)
{
	const char *end = path.start + path.length;
	const char *colon = slice_find(path.start, end, ":");

	*host = slice_between(path.start, colon);
	return colon < end && slice_is_number(slice_between(colon + 1, end)) &&
	       slice_consists_of(*host, "-._") && url_port(colon + 1, end, port);
}

/* phpredis takes a path that is no socket as a host: good for "redis?database=2". */
static int from_path(struct parser *parser)
{
	const struct url *url = &parser->url;
	struct slice host;
	int port;

	if (url->scheme.start && !slice_is(url->scheme, "tcp"))
		return from_scheme(parser);
	if (is_host_and_port(url->path, &host, &port))
		return refuse_no_scheme(parser, host, port,
		                        "looks for a host with a colon in its name");
	if (slice_has(url->path, '['))
		return parser_refuse(parser,
		                     "is no address for the handler redis: seed[]= belongs to "
		                     "rediscluster, and an IPv6 address is written "
		                     "\"tcp://::1:6379?...\"");
	if (slice_has(url->path, '/'))
		return parser_refuse(parser,
		                     "has no scheme, so that PHP takes the slash as a part of the "
		                     "host; write \"tcp://HOST:PORT?database=N\"");
	int r = set_host(parser, url->path, STORE_PORT);
	if (r == 0 && url->scheme.start)
		parser_trap(parser, TRAP_SCHEME, "'tcp:' without // is read by luck");
	if (r == 0 && slice_has(url->path, ':'))
		parser_trap(parser, TRAP_IPV6,
		            "without tcp:// PHP takes all of it for the address");
	return r;
}

/* What a raw comma in a password leaves behind: its host would be shown. */
static bool may_be_secret(const struct parser *parser)
{
	struct slice scheme = parser->url.scheme;

	return parser->login_before && (!scheme.start || scheme.start[scheme.length + 1] != '/');
}

int endpoint_read(struct parser *parser)
{
	const struct url *url = &parser->url;

	if (may_be_secret(parser))
		return parser_refuse(parser,
		                     "has no scheme and follows an auth=: write a comma in a "
		                     "password as %%2C and a blank as %%20, or tcp:// before the "
		                     "host");
	if (url->host.start)
		return from_host(parser);
	if (!url->path.start)
		return parser_refuse(parser, "names no host; write \"tcp://HOST:PORT?...\"");
	if (url->path.length > 0 && url->path.start[0] == '/')
		return from_socket(parser);
	return from_path(parser);
}
