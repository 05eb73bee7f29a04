#include "release/link.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "util/random.h"

int link_exchange(const char *one, const char *other)
{
	return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) < 0 ? -errno : 0;
}

/* A link cannot be changed, but a new one can be renamed over it. */
int link_replace(const char *path, const char *target)
{
	char temporary[PATH_MAX];

	/* Tasks on one volume are all pid 1 or so. */
	int n = snprintf(temporary, sizeof(temporary), "%s.%016" PRIx64, path, random_number());

	if (n < 0 || (size_t)n >= sizeof(temporary))
		return -ENAMETOOLONG;
	(void)unlink(temporary);
	if (symlink(target, temporary) < 0)
		return -errno;
	if (rename(temporary, path) < 0) {
		int error = -errno;

		(void)unlink(temporary);
		return error;
	}
	return 0;
}
