#include "fcgi/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi/fail.h"
#include "question/fcgi_client.h"
#include "session/resolve.h"
#include "util/clock.h"
#include "util/text.h"

#define DIGITS "0123456789"

static const char *parse_port(const char *text, struct fcgi_address *address)
{
	long port = strtol(text, NULL, 10);

	if (text[strspn(text, DIGITS)] != '\0' || port < 1 || port > 65535 ||
	    !text_copy(address->port, sizeof(address->port), text))
		return "a port is a number from 1 to 65535, not in";
	return NULL;
}

static const char *parse_host(const char *host, size_t length, struct fcgi_address *address)
{
	struct text text = TEXT(address->host);

	if (length >= 2 && host[0] == '[' && host[length - 1] == ']')
		text_add(&text, "%.*s", (int)length - 2, host + 1);
	else if (memchr(host, ':', length))
		return "an IPv6 address wants brackets, like [::1]:9000, not";
	else if (length != 1 || host[0] != '*')
		text_add(&text, "%.*s", (int)length, host);
	return text.cut ? "a name has at most 255 bytes, not" : NULL;
}

static const char *parse_path(const char *path, struct fcgi_address *address)
{
	address->local = true;
	address->un.sun_family = AF_UNIX;
	if (path[0] == '\0')
		return "the path of the socket is missing in";
	if (!text_copy(address->un.sun_path, sizeof(address->un.sun_path), path))
		return "a socket's path has at most 107 bytes; go to its directory and write "
		       "./NAME "
		       "instead of";
	return NULL;
}

const char *fcgi_address_parse(const char *text, struct fcgi_address *address)
{
	const char *colon = strrchr(text, ':');

	*address = (struct fcgi_address){ 0 };
	if (text_begins(text, "unix:"))
		return parse_path(text + strlen("unix:"), address);
	if (strchr(text, '/'))
		return parse_path(text, address);
	const char *wrong = parse_port(colon ? colon + 1 : text, address);
	if (wrong || !colon)
		return wrong;
	return parse_host(text, (size_t)(colon - text), address);
}

static const char *advice(int error, bool local)
{
	switch (error) {
	case -ENOENT:
		return "nothing has this name; see `listen` of the pool, and whether php-fpm runs";
	case -ECONNREFUSED:
		return "nobody listens there; see `listen` of the pool, and whether php-fpm runs";
	case -EACCES:
	case -EPERM:
		return local ? "this user may not use it; see `listen.owner`, `listen.group` and "
		               "`listen.mode` of the pool"
		             : "a firewall or a security policy forbids it";
	case -ETIMEDOUT:
		return local ? "its queue stays full, so all workers are busy"
		             : "nothing comes back: all workers are busy and the queue is full, or "
		               "a firewall drops what we send";
	default:
		return strerror(-error);
	}
}

static int explain(const char *text, bool local, int error)
{
	return fcgi_fail(error == -ETIMEDOUT ? FCGI_TIMEOUT : FCGI_NO_CONNECTION,
	                 "cannot connect to %s: %s", text, advice(error, local));
}

static int find(const struct fcgi_address *address, const char *text, uint64_t until_ms,
                struct addrinfo **list)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV,
	};
	uint64_t now = clock_ms();

	resolve_prepare(until_ms > now ? (uint32_t)(until_ms - now) : 1);
	int r = getaddrinfo(address->host[0] ? address->host : NULL, address->port, &hints, list);
	if (r == 0)
		return 0;
	return fcgi_fail(FCGI_NO_NAME, "no address for %s: %s; an IP address needs no name server",
	                 text, r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
}

static int connect_tcp(const struct fcgi_address *address, const char *text, uint64_t until_ms,
                       int *fd)
{
	struct addrinfo *list = NULL;
	int r = find(address, text, until_ms, &list);

	if (r != 0)
		return r;
	for (const struct addrinfo *at = list; at; at = at->ai_next) {
		r = fcgi_connect(at->ai_addr, at->ai_addrlen, until_ms, fd);
		if (r == 0)
			break;
	}
	freeaddrinfo(list);
	/* The last bytes of a body do not wait for an acknowledgement (tcp(7)). */
	if (r == 0)
		(void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return r < 0 ? explain(text, false, r) : 0;
}

int fcgi_address_connect(const struct fcgi_address *address, const char *text, uint64_t until_ms,
                         int *fd)
{
	if (!address->local)
		return connect_tcp(address, text, until_ms, fd);

	int r = fcgi_connect((const struct sockaddr *)&address->un, sizeof(address->un), until_ms,
	                     fd);
	return r < 0 ? explain(text, true, r) : 0;
}
