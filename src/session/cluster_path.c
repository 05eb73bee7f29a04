#include "session/cluster_path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/options.h"
#include "session/query.h"
#include "session/url.h"
#include "session/where.h"
#include "util/text.h"

/* What options.c does not know, or what the handler redis alone looks at. */
static const char *const names[] = {
	"seed", "timeout", "read_timeout", "persistent", "failover", "prefix", "auth", "stream",
};

/* Where the parsing stands. */
struct reading {
	struct save_path *path;
	struct text why, trap;
	struct options options;
	struct store_address common; /* what all seeds share */
	bool secret_seen;
};

PRINTF_LIKE(2, 3) static int refuse(struct reading *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vadd(&r->why, format, args);
	va_end(args);
	return -EINVAL;
}

/* The first trap that is found is told. */
PRINTF_LIKE(2, 3) static void trap(struct reading *r, const char *format, ...)
{
	va_list args;

	if (r->path->trap[0])
		return;
	va_start(args, format);
	text_vadd(&r->trap, format, args);
	va_end(args);
}

/* --- what all seeds share --- */

static int read_login(struct reading *r)
{
	const char *user, *password;

	if (!options_login(&r->options, &user, &password))
		return 0;
	if (user && !*user)
		return refuse(r, "session.save_path has an empty user in auth[], which Redis "
		                 "refuses; write auth=PASSWORD");
	r->common.has_auth = true;
	text_copy_cut(r->common.user, sizeof(r->common.user), user ? user : "");
	text_copy_cut(r->common.password, sizeof(r->common.password), password);
	return 0;
}

static int read_prefix(struct reading *r)
{
	const struct value *prefix = &r->options.values[OPTION_PREFIX];
	const char *text = prefix->set ? prefix->text : "PHPREDIS_CLUSTER_SESSION:";

	r->common.prefix_set = prefix->set;
	if (!text_copy(r->common.prefix, sizeof(r->common.prefix), prefix->array ? "Array" : text))
		return refuse(r, "session.save_path has a prefix of more than %d bytes",
		              STORE_PREFIX_SIZE - 1);
	return 0;
}

static int read_timeouts(struct reading *r)
{
	const struct value *timeout = &r->options.values[OPTION_TIMEOUT];
	const struct value *read_timeout = &r->options.values[OPTION_READ_TIMEOUT];

	r->common.timeout_set = timeout->set;
	r->common.timeout_s = value_number(timeout);
	r->common.read_timeout_set = read_timeout->set;
	r->common.read_timeout_s = value_number(read_timeout);
	if (r->common.timeout_s < 0 || r->common.read_timeout_s < 0)
		return refuse(r, "session.save_path has a timeout below 0, which PHP refuses; "
		                 "write seconds: timeout=2&read_timeout=5");
	if (r->common.timeout_s == 0)
		trap(r, "without timeout= PHP waits default_socket_timeout (60 s) for a node that "
		        "is gone; write timeout=2&read_timeout=5 behind the seeds");
	else if (r->common.read_timeout_s == 0)
		trap(r, "without read_timeout= PHP waits default_socket_timeout (60 s) for an "
		        "answer; write read_timeout=5 behind the seeds");
	return 0;
}

static int read_common(struct reading *r)
{
	r->common.database = -1;
	r->common.weight = 1;
	r->common.persistent = value_is_true(&r->options.values[OPTION_PERSISTENT]);
	int result = read_login(r);
	if (result == 0)
		result = read_prefix(r);
	if (result == 0)
		result = read_timeouts(r);
	if (r->options.values[OPTION_AUTH].set && !r->common.has_auth)
		trap(r, "phpredis ignores auth[] in this form and does not log in; write one entry "
		        "(the password) or two (user and password)");
	return result;
}

/* --- seeds --- */

/* "tcp://h:p" and "tls://h:p" go to PHP's transports as they are. */
static const char *skip_scheme(const char *text, bool *tls)
{
	const char *mark = strstr(text, "://");

	*tls = false;
	if (!mark)
		return text;
	*tls = url_is_tls(slice_between(text, mark));
	return *tls || slice_is(slice_between(text, mark), "tcp") ? mark + 3 : text;
}

static bool set_host(struct reading *r, struct store_address *seed, struct slice host)
{
	if (host.length > 2 && host.start[0] == '[' && host.start[host.length - 1] == ']') {
		host = (struct slice){ host.start + 1, host.length - 2 };
		if (slice_has(host, ':'))
			trap(r, "phpredis before 6.0 cannot connect to an address in brackets; "
			        "write seed[]=ADDRESS:PORT without them");
	}
	if (host.length >= sizeof(seed->host) || !slice_consists_of(host, "-._:"))
		return false;
	memcpy(seed->host, host.start, host.length);
	seed->host[host.length] = '\0';

	struct in6_addr address;
	return !slice_has(host, ':') || inet_pton(AF_INET6, seed->host, &address) == 1;
}

static int read_seed(struct reading *r, const char *text)
{
	struct store_address *seed = &r->path->stores[r->path->count];
	const char *host, *colon;

	if (r->path->count == STORES_MAX)
		return refuse(r, "session.save_path has more than the %d seeds that can be checked",
		              STORES_MAX);
	*seed = r->common;
	host = skip_scheme(text, &seed->tls);
	colon = strrchr(host, ':');
	if (!colon)
		return refuse(r,
		              "seed %zu of session.save_path has no port, and PHP passes over "
		              "it; write seed[]=HOST:PORT",
		              r->path->count + 1);
	long port = strtol(colon + 1, NULL, 10); /* as phpredis: what is no number is 0 */
	if (port < 0 || port > UINT16_MAX)
		return refuse(r,
		              "seed %zu of session.save_path has a port that no server has; "
		              "write seed[]=HOST:PORT",
		              r->path->count + 1);
	if (!set_host(r, seed, slice_between(host, colon)))
		return refuse(r,
		              "seed %zu of session.save_path has a host with characters that "
		              "no host name has; write seed[]=HOST:PORT",
		              r->path->count + 1);
	seed->port = (uint16_t)(port ? port : STORE_PORT);
	r->path->count++;
	return 0;
}

static bool is_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* An unknown name may be the rest of a password with a raw &. */
static void check_name(struct reading *r, const char *name)
{
	if (!is_known(name))
		trap(r,
		     "phpredis ignores an option that it does not know (a & in a password is "
		     "written %%26)%s%s",
		     r->secret_seen || !slice_consists_of(slice_of(name), "_-") ? "" : ": ",
		     r->secret_seen || !slice_consists_of(slice_of(name), "_-") ? "" : name);
	r->secret_seen |= strcmp(name, "auth") == 0;
}

static int read_pair(struct reading *r, struct slice encoded, struct slice value)
{
	char text[STORE_AUTH_SIZE];
	struct query_name name;

	query_name(encoded, &name);
	check_name(r, name.name);
	if (strcmp(name.name, "seed") != 0)
		return 0;
	if (!name.key)
		return refuse(r, "session.save_path has a seed= that is no list, which PHP "
		                 "refuses; write seed[]=HOST:PORT");
	if (!query_decode(value, text, sizeof(text)))
		return refuse(r, "session.save_path has a seed that is too long or holds %%00");
	return read_seed(r, text);
}

static int read_seeds(struct reading *r, struct slice text)
{
	struct query query = { text.start, text.start + text.length };
	struct slice name, value;
	int result = 0;

	while (result == 0 && query_next(&query, &name, &value))
		result = read_pair(r, name, value);
	if (result == 0 && r->path->count == 0)
		return refuse(r, "session.save_path names no seed; write "
		                 "\"seed[]=HOST:PORT&seed[]=HOST:PORT&timeout=2&read_timeout=5\"");
	return result;
}

int cluster_path_parse(const char *text, struct save_path *path, char *why, size_t why_size)
{
	struct reading r = { .path = path, .why = text_init(why, why_size) };
	const struct url url = { .query = slice_of(text) };

	memset(path, 0, sizeof(*path));
	r.trap = TEXT(path->trap);
	int result = 0;
	if (!options_read(&url, &r.options))
		result = refuse(&r,
		                "session.save_path has a value of '%s' that is too long or "
		                "holds %%00",
		                options_name(r.options.refused));
	if (result == 0)
		result = read_common(&r);
	if (result == 0)
		result = read_seeds(&r, slice_of(text));
	explicit_bzero(&r.options, sizeof(r.options));
	explicit_bzero(&r.common, sizeof(r.common));
	return result;
}
