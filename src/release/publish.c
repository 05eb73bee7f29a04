#include "release/publish.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "release/link.h"
#include "release/release.h"

/* Whether @path is a link that says @target. */
static bool leads_to(const char *path, const char *target)
{
	char now[PATH_MAX];
	ssize_t n = readlink(path, now, sizeof(now) - 1);

	if (n < 0)
		return false;
	now[n] = '\0';
	return strcmp(now, target) == 0;
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
		/* Back to the previous one, for whose pages two steps would have a moment in which
		   neither name leads there. */
		if (leads_to(previous, target) && link_exchange(previous, publish) == 0)
			return 0;
		int r = link_replace(previous, now);
		if (r < 0)
			return r;
	}
	return link_replace(publish, target);
}
