/*
 * pin.h - fix the release a replica sees, however the deployer moves the symlink later.
 *
 * By namespace: in a mount namespace of its own the directory that holds the symlink becomes a
 * small read-only tmpfs with the same entries, bound from the real one, so that releases/ and
 * shared/ stay live and relative links work; only the symlink is the replica's own.
 *
 * By path: PHP is told the real paths by ini values (fpm/overlay.h) and by a file that it runs
 * before each script, which mends the variables that the web server sent.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "util/macros.h"

enum pin {
	PIN_NONE,   /* nothing is pinned: no release, or isolation = none */
	PIN_MOUNT,  /* a mount namespace, by CAP_SYS_ADMIN */
	PIN_USERNS, /* a mount namespace inside a user namespace with the same ids */
	PIN_PATH,
};

/* Word for status and log.  Never NULL. */
const char *pin_name(enum pin pin);

/* A directory of which processes in a namespace of their own see two others, and nothing else. */
struct pin_cover {
	const char *path; /* absolute */
	const char *read_only, *writable;
};

/* Cover it: call as pin_tree(), and before it.  0 or -errno. */
MUST_CHECK int pin_cover(const struct pin_cover *cover);

/*
 * Build the private tree: call in a child that is in a mount namespace of its own, while it has
 * CAP_SYS_ADMIN there.  @link is the release symlink, @release the real path it is fixed to.  With
 * @read_only the release itself becomes read-only for this child too.  Keeps the working directory,
 * by its path.  0 or -errno.
 */
MUST_CHECK int pin_tree(const char *link, const char *release, bool read_only);

/*
 * Write the PHP file that path isolation prepends to each script: it sets SCRIPT_FILENAME,
 * DOCUMENT_ROOT and PATH_TRANSLATED to the real release, answers 500 to a request whose
 * DOCUMENT_ROOT is another site's, then runs @own_prepend, the pool's own auto_prepend_file (may
 * be "").  0 or -errno.
 */
MUST_CHECK int pin_write_prepend(FILE *out, const char *link, const char *release,
                                 const char *docroot, const char *own_prepend);
