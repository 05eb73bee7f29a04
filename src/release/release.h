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
 * @why: no such link, no symlink, where it points and what is wrong there.  For helpers: a network
 * file system may let it wait for ever.
 */
MUST_CHECK int release_resolve(const char *link, struct release *release, char *why,
                               size_t why_size);

/*
 * The release that a helper has resolved: @path, and @fd, which is taken.  Touches no file system:
 * for PID 1.
 */
void release_adopt(struct release *release, const char *path, int fd);

/*
 * Where the release is now, if somebody renamed its directory; updates release->path.  Asks the
 * kernel's names only, not the file system, which may not answer.  Returns 0, or -ENOENT when it
 * was removed.
 */
MUST_CHECK int release_refresh(struct release *release);

void release_done(struct release *release);

/*
 * @target as a symlink in the same directory as @link should have it: relative when it is below
 * that directory, so that the link works wherever the tree is mounted, else as it is.
 */
const char *release_link_target(const char *link, const char *target);
