/* identity.h - become the user that PHP runs as. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "util/macros.h"

enum { IDENTITY_GROUPS_MAX = 32 };

struct identity {
	uid_t uid;
	gid_t gid;
	size_t group_count; /* supplementary groups */
	gid_t groups[IDENTITY_GROUPS_MAX];
};

/* Who we are now, without supplementary groups. */
struct identity identity_current(void);

/*
 * Take the groups and group ids of @identity.  Needs CAP_SETGID unless they are ours already.
 * 0 or -errno.
 */
MUST_CHECK int identity_take_groups(const struct identity *identity);

/* Take its user id, for good; identity_take_groups() must come first.  0 or -errno. */
MUST_CHECK int identity_take_user(const struct identity *identity);
