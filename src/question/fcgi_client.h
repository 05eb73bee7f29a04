/* fcgi_client.h - one FastCGI request to a private socket, with a deadline.  For helpers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fpm/fastcgi.h"
#include "util/macros.h"

/*
 * Ask the unix socket @name in the directory @dir_fd for @script with @query, and wait for the
 * whole answer at most until clock_ms() is @until_ms.  @settings is PHP_ADMIN_VALUE, lines of
 * name=value that PHP keeps until that worker ends (fpm_main.c); NULL: none.  @reply has been made
 * ready by fastcgi_reply_init().
 *
 * Returns 0 when the answer is complete, -ETIMEDOUT, -EBADMSG for what is not FastCGI,
 * -ECONNRESET when it ended too early, or -errno.
 */
MUST_CHECK int fcgi_ask(int dir_fd, const char *name, const char *script, const char *query,
                        const char *settings, uint64_t until_ms, struct fastcgi_reply *reply);
