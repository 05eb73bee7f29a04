/* scoreboard.h - ask one pool of one master for its status page, with all its workers. */
#pragma once

#include <stdint.h>

#include "fpm/status.h"
#include "util/macros.h"

/*
 * As scoreboard_ask(), for the page as it comes: *@body of *@size bytes, good until the next call.
 */
MUST_CHECK int scoreboard_page(int private_fd, const char *name, const char *path,
                               uint64_t until_ms, const char **body, size_t *size);

/*
 * Read the page from the private socket @name in the directory @private_fd; @path is the script
 * name that it answers to (pm.status_path).  Blocks at most until clock_ms() is @until_ms; answers
 * when all workers are busy, too.  Not for PID 1, nor for two at a time in one process.
 *
 * Returns 0 and fills *@status; -ECONNREFUSED or -ENOENT when the master has gone; or what
 * fcgi_ask() and fpm_status_parse() return.
 */
MUST_CHECK int scoreboard_ask(int private_fd, const char *name, const char *path, uint64_t until_ms,
                              struct fpm_status *status);
