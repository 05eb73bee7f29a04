/*
 * point.h - have the release symlink name another directory, as a deployer does.  For helpers: a
 * network file system may let it wait for ever.
 */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "release/release.h"
#include "util/macros.h"

struct pointing {
	bool is_active;                 /* the directory is the active release already */
	bool moved;                     /* the link named something else before */
	char before[RELEASE_PATH_SIZE]; /* what it said; empty: there was none */
	char after[RELEASE_PATH_SIZE];  /* what it says now */
	char name[RELEASE_NAME_SIZE];
};

/*
 * Make @link name the directory @dir: absolute, or the name of one beside @active, the path of the
 * release that is active.  @docroot must be there below it (NULL: need not).  @active_fd is the
 * active release's (FD_NONE: none).
 *
 * Returns 0 and fills *@pointing; or -errno and one sentence in @why, and the link is as it was.
 */
MUST_CHECK int point_release(const char *link, const char *dir, const char *docroot,
                             const char *active, int active_fd, struct pointing *pointing,
                             char *why, size_t why_size);

/*
 * Undo what @pointing did, unless somebody else has moved @link meanwhile.  Returns 0, -EBUSY for
 * the latter, or -errno.
 */
MUST_CHECK int point_back(const char *link, const struct pointing *pointing);
