#include "release/publish.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "release/release.h"
#include "util/random.h"

/* A link cannot be changed, but a new one can be renamed over it. */
static int replace_link(const char *path, const char *target)
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

int publish_release(const char *publish, const char *release)
{
	const char *target = release_link_target(publish, release);
	char now[PATH_MAX], previous[PATH_MAX];
	ssize_t n = readlink(publish, now, sizeof(now) - 1);

	if (n < 0 && errno != ENOENT)
		return -errno; /* EINVAL: a file or directory, which is not ours to replace */
	if (n >= 0) {
		now[n] = '\0';
		if (strcmp(now, target) == 0)
			return 0;
		int length = snprintf(previous, sizeof(previous), "%s.previous", publish);
		if (length < 0 || (size_t)length >= sizeof(previous))
			return -ENAMETOOLONG;
		int r = replace_link(previous, now);
		if (r < 0)
			return r;
	}
	return replace_link(publish, target);
}
