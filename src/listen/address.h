/*
 * address.h - a public address as the operator wrote it in `listen =`, taken apart.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "util/macros.h"

enum { ADDRESS_TEXT_SIZE = 256 };

struct address {
	struct sockaddr_storage sockaddr;
	socklen_t length;
	bool any;    /* a bare port: IPv6 with IPv4 in one socket */
	int backlog; /* for listen(2); below 1: the kernel's limit */
	uid_t owner; /* unix sockets only */
	gid_t group;
	mode_t mode;
};

/*
 * Parse "9000", "127.0.0.1:9000", "[::1]:9000", "*:9000" or "/run/php.sock".  Names must have been
 * resolved before.  Returns 0 and fills *@address (backlog, owner, group and mode stay as they
 * were), or -EINVAL.
 */
MUST_CHECK int address_parse(const char *text, struct address *address);

bool address_is_unix(const struct address *address);

/* The path of a unix address. */
const char *address_path(const struct address *address);

/* What listen(2) is to be given. */
int address_backlog(const struct address *address);

/* As FPM reads it in `listen =`: "127.0.0.1:9000", "[::]:9000" or the path. */
void address_text(const struct address *address, char to[ADDRESS_TEXT_SIZE]);

/* As FPM looks it up in FPM_SOCKETS: IPv6 without brackets, ":::9000" (fpm_sockets.c). */
void address_key(const struct address *address, char to[ADDRESS_TEXT_SIZE]);
