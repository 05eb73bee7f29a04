/* fcgi_client.h - one FastCGI request to a private socket, with a deadline.  For helpers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "fpm/fastcgi.h"
#include "util/macros.h"

enum { PRIVATE_NAME_SIZE = 64 }; /* of a private socket in its directory */

/*
 * Connect to @address at most until clock_ms() is @until_ms.  Returns 0 and fills *@fd, -ETIMEDOUT
 * or -errno.
 */
MUST_CHECK int fcgi_connect(const struct sockaddr *address, socklen_t length, uint64_t until_ms,
                            int *fd);

/* The same to the unix socket @name in the directory @dir_fd. */
MUST_CHECK int fcgi_connect_private(int dir_fd, const char *name, uint64_t until_ms, int *fd);

/* What PHP is told.  A string may be NULL, and is then left out. */
struct fcgi_request {
	const char *file; /* SCRIPT_FILENAME, as PHP sees it */
	const char *root; /* DOCUMENT_ROOT */
	const char *name; /* SCRIPT_NAME */
	const char *path_info;
	const char *uri; /* REQUEST_URI */
	const char *query;
	const char *settings; /* PHP_ADMIN_VALUE: lines of name=value that PHP keeps until that
	                         worker ends (fpm_main.c) */
};

/*
 * Send @request as a GET to the unix socket @name in the directory @dir_fd, and wait for the whole
 * answer at most until clock_ms() is @until_ms.  @reply has been made ready by
 * fastcgi_reply_init().
 *
 * Returns 0 when the answer is complete, -ETIMEDOUT, -EBADMSG for what is not FastCGI, -ECONNRESET
 * when it ended too early, -EMSGSIZE for a request of more than 8 KB, or -errno.
 */
MUST_CHECK int fcgi_ask(int dir_fd, const char *name, const struct fcgi_request *request,
                        uint64_t until_ms, struct fastcgi_reply *reply);

/* The same over the connection @fd, where with @keep_open another request may follow. */
MUST_CHECK int fcgi_talk(int fd, const struct fcgi_request *request, bool keep_open,
                         uint64_t until_ms, struct fastcgi_reply *reply);
