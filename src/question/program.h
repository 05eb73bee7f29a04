/* program.h - find and run another program and keep what it prints.  For helpers: it blocks. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/macros.h"

/*
 * Find the FPM binary @name: a path is taken as it is; a name is looked for in PATH and the usual
 * sbin directories; "php-fpm" also under the names with a version that distributions use.
 *
 * Returns 0 and fills @path, or -ENOENT.
 */
MUST_CHECK int program_find_fpm(const char *name, char *path, size_t size);

/* One that runs; all zero: none.  It does not outlive the helper. */
struct program {
	pid_t pid;
	int output;     /* a memfd: nobody has to read while it writes */
	uint64_t kills; /* that the container's memory limit had taken before */
};

/*
 * Start @argv[0], a path, with @config_fd (or -1) as descriptor 3.  It has no network, and what it
 * opens as a log file is /dev/null.
 *
 * Returns 0, and then program_end() or program_abandon() has to follow, or -errno.
 */
MUST_CHECK int program_begin(struct program *program, const char *const argv[], int config_fd);

/*
 * Wait for its end.
 *
 * Returns its exit status (128 + n for a signal) and in *@output, to be freed, everything it wrote
 * to stdout and stderr, NUL-terminated; or -errno, -ENOMEM when the container's limit had it
 * killed.
 */
MUST_CHECK int program_end(struct program *program, char **output);

/* End one whose answer nobody needs any more. */
void program_abandon(struct program *program);

/* Begin and end. */
MUST_CHECK int program_run(const char *const argv[], int config_fd, char **output);
