/* address.h - where `twinit fcgi` connects to, as an operator writes it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "util/macros.h"

struct fcgi_address {
	bool local;              /* a unix socket */
	struct sockaddr_un un;   /* of it */
	char host[256], port[8]; /* of TCP; no host is this machine */
};

/*
 * Take apart "9000", "host:9000", "127.0.0.1:9000", "[::1]:9000", "*:9000" (this machine), a path
 * with a '/' in it or "unix:PATH".  Returns NULL, or what is wrong with it: words that @text is put
 * behind, in quotes.
 */
MUST_CHECK const char *fcgi_address_parse(const char *text, struct fcgi_address *address);

/*
 * Connect to @address, written @text, trying all that its name has, until clock_ms() is @until_ms
 * (the system's resolver may take longer).  Returns 0 and fills *@fd, or an exit status after
 * having said why not.
 */
MUST_CHECK int fcgi_address_connect(const struct fcgi_address *address, const char *text,
                                    uint64_t until_ms, int *fd);
