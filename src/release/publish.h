/* publish.h - the symlink from which the web server serves static files. */
#pragma once

#include "util/macros.h"

/*
 * Make @publish (an absolute path) a symlink to the directory @release, atomically, and
 * @publish.previous one to what it named before, so that a page of the old release still finds its
 * assets.  Nothing changes when @publish names @release already: another task on the same volume
 * was first.  Returns 0 or -errno.
 */
MUST_CHECK int publish_release(const char *publish, const char *release);
