/*
 * release.h - the directory with code that a symlink names right now, held by a descriptor.
 */
#pragma once

#include <stddef.h>

#include "util/macros.h"

enum {
	RELEASE_PATH_SIZE = 1024,
	RELEASE_NAME_SIZE = 64,
};

struct release {
	int fd;                       /* the directory (O_PATH); FD_NONE: code is in the image */
	char path[RELEASE_PATH_SIZE]; /* absolute, no symlink in it; empty without a release */
	char name[RELEASE_NAME_SIZE]; /* for people: the last part of the path, or "image" */
};

/* The release of an app whose code is in the image. */
void release_none(struct release *release);

/*
 * Follow @link, an absolute path of a symlink to a directory, or "" for release_none().
 *
 * Returns 0 and fills *@release, whose owner calls release_done(); or -errno and one sentence in
 * @why: no such link, no symlink, where it points and what is wrong there.
 */
MUST_CHECK int release_resolve(const char *link, struct release *release, char *why,
                               size_t why_size);

/*
 * Where the release is now, if somebody renamed its directory; updates release->path.  Returns 0,
 * or -ENOENT when it was removed.
 */
MUST_CHECK int release_refresh(struct release *release);

void release_done(struct release *release);

/*
 * @target as a symlink in the same directory as @link should have it: relative when it is below
 * that directory, so that the link works wherever the tree is mounted, else as it is.
 */
const char *release_link_target(const char *link, const char *target);
