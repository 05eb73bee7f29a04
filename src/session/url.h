/*
 * url.h - take one part of session.save_path apart as PHP's php_url_parse_ex() does when phpredis
 * calls it.  Pure.
 *
 * PHP's oddities are the point: "redis:6379?x" has the scheme "redis" and the path "6379",
 * "h:80x" has the port 80, and what has no host may still have a path that phpredis connects to.
 */
#pragma once

#include <stdbool.h>

#include "session/slice.h"
#include "util/macros.h"

/* Pieces of the text that was split; what is absent has no start. */
struct url {
	struct slice scheme, host, path, query, fragment;
	struct slice login; /* before the last @ of the host */
	int port;           /* 0: none */
};

/*
 * Split the text between @start and @end, which url borrows.
 *
 * Returns true and fills *@url, or false where php_url_parse_ex() returns NULL; then *@url is of no
 * use.
 */
MUST_CHECK bool url_split(const char *start, const char *end, struct url *url);

/*
 * Read a port as PHP does, with strtol() of at most five characters: "+63" and "63x" are 63.
 *
 * Returns true and fills *@port (0 to 65535), or false.
 */
MUST_CHECK bool url_port(const char *start, const char *end, int *port);

/* True for a unix socket: phpredis makes "file:" of "unix:", and PHP knows "FILE:" too. */
bool url_is_socket(struct slice scheme);

/* True for PHP's transports with TLS, which are case-sensitive. */
bool url_is_tls(struct slice scheme);
