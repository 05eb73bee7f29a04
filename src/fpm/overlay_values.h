/*
 * overlay_values.h - lines of an overlay that carry the operator's values.  Pure; for overlay.c.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "fpm/dump.h"
#include "util/macros.h"
#include "util/text.h"

struct overlay; /* fpm/overlay.h */

/* One overlay as it is written; all borrowed. */
struct overlay_writer {
	FILE *out;
	const struct overlay *overlay;
	const struct fpm_dump *dump;
	const char *info;
	struct text *why; /* filled where a function below returns -EINVAL */
};

/* Say that @key of @pool cannot be written.  Returns -EINVAL. */
int overlay_refuse(struct overlay_writer *writer, const char *pool, const char *key,
                   const char *cause);

/* Write "key = value", quoted.  0 or -EINVAL. */
MUST_CHECK int overlay_put(struct overlay_writer *writer, const char *pool, const char *key,
                           const char *value);

/* Write the plain directive @key as @pool has it, pinned; nothing when it is empty.  0 or -EINVAL.
 */
MUST_CHECK int overlay_put_same(struct overlay_writer *writer, const char *pool, const char *key);

/*
 * Write env[], php_value[] and php_admin_value[] of @pool, pinned; with @only_changed those that
 * the pin changes.  0 or -EINVAL.
 */
MUST_CHECK int overlay_put_copies(struct overlay_writer *writer, const char *pool,
                                  bool only_changed);

/* Write what the pin sets in every pool, and php.ini's values that it changes.  0 or -EINVAL. */
MUST_CHECK int overlay_put_pin(struct overlay_writer *writer, const char *pool);
