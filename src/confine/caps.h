/* caps.h - give capabilities up.  For children between fork and exec. */
#pragma once

#include <stdbool.h>

#include "util/macros.h"

/* True when this process may make and change mounts. */
bool caps_have_sys_admin(void);

/* True when this process may signal those of other users. */
bool caps_have_kill(void);

/*
 * Empty the bounding set, so that no exec can bring a capability back.  Without CAP_SETPCAP the
 * set stays as it is, which no_new_privs makes harmless.  0 or -errno.
 */
MUST_CHECK int caps_empty_bounding(void);

/* Keep capabilities over the next change of user id, and no longer than to exec.  0 or -errno. */
MUST_CHECK int caps_keep_over_setuid(void);

/* Empty all other sets (ambient, effective, permitted, inheritable).  0 or -errno. */
MUST_CHECK int caps_drop_all(void);

/* No later exec gains privileges: no setuid program, no file capability.  0 or -errno. */
MUST_CHECK int caps_no_new_privileges(void);
