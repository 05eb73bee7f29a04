/*
 * caps.h - which capabilities a process keeps.  For children between fork and exec, and for PID 1
 * when it starts.
 *
 * A set is a mask: CAP_BIT(CAP_KILL) | CAP_BIT(CAP_SETUID); see capabilities(7) for what each is.
 */
#pragma once

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"

#define CAP_BIT(cap) (UINT64_C(1) << (cap))

/* What this process may use now; nothing when it cannot be found out. */
uint64_t caps_effective(void);

/* Is @cap, one CAP_ number, among them? */
bool caps_have(int cap);

/* The same for who must know: 1 or 0, or -errno when that cannot be found out. */
MUST_CHECK int caps_look_for(int cap);

/*
 * Take everything but @keep out of the bounding set, so that no exec can bring it back.  Without
 * CAP_SETPCAP the set stays as it is, which no_new_privs makes harmless.  0 or -errno.
 */
MUST_CHECK int caps_bound(uint64_t keep);

/*
 * Keep of the permitted set only what is in @keep, make that effective, and empty the ambient and
 * inheritable sets.  0 or -errno.
 */
MUST_CHECK int caps_keep(uint64_t keep);

/*
 * Fix for good, for all descendants too, that capabilities go with a change of user id and none are
 * ambient (securebits, capabilities(7)); unless @root_counts also that user 0 gains none by exec.
 * Without CAP_SETPCAP nothing is fixed; what was fixed otherwise before us stays so, which
 * @root_counts does not accept.  0 or -errno.
 */
MUST_CHECK int caps_lock(bool root_counts);

/* No later exec gains privileges: no setuid program, no file capability.  0 or -errno. */
MUST_CHECK int caps_no_new_privileges(void);
