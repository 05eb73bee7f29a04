#include "confine/namespace.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "util/fs.h"

int namespace_enter(void)
{
	return unshare(CLONE_NEWNS) < 0 ? -errno : 0;
}

static int write_map(const char *file, unsigned id)
{
	char line[64];

	snprintf(line, sizeof(line), "%u %u 1", id, id);
	return write_file_at(-1, file, line);
}

int namespace_enter_as_user(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r;

	/* A change of user id made us undumpable, and /proc/self root's (prctl(2)). */
	if (prctl(PR_SET_DUMPABLE, 1) < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	/* Without this nobody may map a group (user_namespaces(7)); our groups stay. */
	r = write_file_at(-1, "/proc/self/setgroups", "deny");
	if (r >= 0)
		r = write_map("/proc/self/gid_map", gid);
	if (r >= 0)
		r = write_map("/proc/self/uid_map", uid);
	return r;
}
