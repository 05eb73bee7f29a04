#include "listen/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static int parse_port(const char *text, in_port_t *port)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	unsigned long value = strtoul(text, &end, 10);
	if (*end != '\0' || value == 0 || value > 65535)
		return -EINVAL;
	*port = htons((in_port_t)value);
	return 0;
}

static int parse_unix(const char *path, struct address *address)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&address->sockaddr;
	size_t length = strlen(path);

	if (length >= sizeof(un->sun_path))
		return -EINVAL;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, length + 1);
	address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return 0;
}

static int parse_v4(const char *host, in_port_t port, struct address *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address->sockaddr;

	if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
		return -EINVAL;
	v4->sin_family = AF_INET;
	v4->sin_port = port;
	address->length = sizeof(*v4);
	return 0;
}

static int parse_v6(const char *host, in_port_t port, struct address *address)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->sockaddr;

	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		return -EINVAL;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = port;
	address->length = sizeof(*v6);
	return 0;
}

static int parse_host(const char *host, in_port_t port, struct address *address)
{
	size_t length = strlen(host);
	char inside[INET6_ADDRSTRLEN];

	if (strcmp(host, "*") == 0 || *host == '\0') {
		address->any = true;
		return parse_v6("::", port, address);
	}
	if (host[0] != '[')
		return parse_v4(host, port, address);
	if (length < 3 || host[length - 1] != ']' || length - 2 >= sizeof(inside))
		return -EINVAL;
	memcpy(inside, host + 1, length - 2);
	inside[length - 2] = '\0';
	return parse_v6(inside, port, address);
}

int address_parse(const char *text, struct address *address)
{
	struct address result = *address;
	char host[ADDRESS_TEXT_SIZE];
	in_port_t port;
	int r;

	memset(&result.sockaddr, 0, sizeof(result.sockaddr));
	result.any = false;
	if (text[0] == '/') {
		r = parse_unix(text, &result);
	} else {
		const char *colon = strrchr(text, ':');
		size_t length = colon ? (size_t)(colon - text) : 0;

		if (length >= sizeof(host) || parse_port(colon ? colon + 1 : text, &port) < 0)
			return -EINVAL;
		memcpy(host, text, length);
		host[length] = '\0';
		r = parse_host(host, port, &result);
	}
	if (r < 0)
		return r;
	*address = result;
	return 0;
}

bool address_is_unix(const struct address *address)
{
	return address->sockaddr.ss_family == AF_UNIX;
}

int address_backlog(const struct address *address)
{
	/* The kernel lowers what is above net.core.somaxconn (listen(2)). */
	return address->backlog > 0 ? address->backlog : INT_MAX;
}

const char *address_path(const struct address *address)
{
	return ((const struct sockaddr_un *)&address->sockaddr)->sun_path;
}

static void format(const struct address *address, const char *v6_format, char *to)
{
	char host[INET6_ADDRSTRLEN];

	if (address_is_unix(address)) {
		snprintf(to, ADDRESS_TEXT_SIZE, "%s", address_path(address));
	} else if (address->sockaddr.ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->sockaddr;

		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(to, ADDRESS_TEXT_SIZE, v6_format, host, ntohs(v6->sin6_port));
	} else {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->sockaddr;

		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(to, ADDRESS_TEXT_SIZE, "%s:%u", host, ntohs(v4->sin_port));
	}
}

void address_text(const struct address *address, char to[ADDRESS_TEXT_SIZE])
{
	format(address, "[%s]:%u", to);
}

void address_key(const struct address *address, char to[ADDRESS_TEXT_SIZE])
{
	format(address, "%s:%u", to);
}
