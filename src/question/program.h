/* program.h - find and run another program and keep what it prints.  For helpers: it blocks. */
#pragma once

#include <stddef.h>

#include "util/macros.h"

/*
 * Find the FPM binary @name: a path is taken as it is; a name is looked for in PATH and the usual
 * sbin directories; "php-fpm" also under the names with a version that distributions use.
 *
 * Returns 0 and fills @path, or -ENOENT.
 */
MUST_CHECK int program_find_fpm(const char *name, char *path, size_t size);

/*
 * Run @argv[0], a path, with @config_fd (or -1) as descriptor 3, and wait for it.  It has no
 * network, and what it opens as a log file is /dev/null.
 *
 * Returns its exit status (128 + n for a signal) and in *@output, to be freed, everything it wrote
 * to stdout and stderr, NUL-terminated; or -errno, -ENOMEM when the container's limit had it
 * killed.
 */
MUST_CHECK int program_run(const char *const argv[], int config_fd, char **output);
