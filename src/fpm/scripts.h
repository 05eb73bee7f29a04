/* scripts.h - by which path were the scripts on a status page (`?json&full`) asked for?  Pure. */
#pragma once

#include <stddef.h>

enum { SCRIPT_EXAMPLE_SIZE = 256 };

/* Starts zeroed. */
struct fpm_scripts {
	unsigned seen;                     /* workers whose last script has an absolute path */
	unsigned through;                  /* of them, those below the path that was looked for */
	char example[SCRIPT_EXAMPLE_SIZE]; /* one that is not, or its beginning; empty: none */
};

/*
 * Add to *@scripts what @body of @size bytes (not NUL-terminated) shows, where @below is a path
 * without a slash at its end.  Whatever is no status page adds nothing.
 */
void fpm_scripts_add(struct fpm_scripts *scripts, const char *body, size_t size, const char *below);
