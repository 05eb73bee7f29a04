#include "confine/identity.h"

#include <errno.h>
#include <grp.h>
#include <unistd.h>

struct identity identity_current(void)
{
	return (struct identity){ .uid = geteuid(), .gid = getegid() };
}

int identity_take_groups(const struct identity *identity)
{
	/* Not ours to change without CAP_SETGID, and nothing to change for ourselves. */
	if (identity->uid == geteuid() && identity->gid == getegid() && geteuid() != 0)
		return 0;
	if (setgroups(identity->group_count, identity->groups) < 0)
		return -errno;
	return setresgid(identity->gid, identity->gid, identity->gid) < 0 ? -errno : 0;
}

int identity_take_user(const struct identity *identity)
{
	return setresuid(identity->uid, identity->uid, identity->uid) < 0 ? -errno : 0;
}
