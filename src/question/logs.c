#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "question/reading.h"

static int trouble_with_directory(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct statvfs fs;
	size_t length = (size_t)(slash - path) + 1;

	if (length >= sizeof(directory))
		return ENAMETOOLONG;
	memcpy(directory, path, length);
	directory[length] = '\0';
	if (statvfs(directory, &fs) < 0)
		return errno == EACCES ? 0 : errno;
	return (fs.f_flag & ST_RDONLY) ? EROFS : 0;
}

/*
 * What keeps everybody from appending to @path, or 0.  Whether a certain user may is the master's
 * own affair to find out: there is more to that than modes.
 */
static int trouble_with(const char *path)
{
	struct statvfs fs;
	struct stat st;

	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return EISDIR;
		/* A device or a pipe takes it wherever its name is. */
		return S_ISREG(st.st_mode) && statvfs(path, &fs) == 0 && (fs.f_flag & ST_RDONLY)
		               ? EROFS
		               : 0;
	}
	/* A link that leads nowhere yet makes its file elsewhere. */
	return lstat(path, &st) == 0 ? 0 : trouble_with_directory(path);
}

static int check(struct reading *r, const char *pool, const char *key)
{
	const char *path = fpm_dump_get(&r->dump, pool, key);
	int error = path[0] == '/' ? trouble_with(path) : 0;

	if (error == 0)
		return 0;
	text_add(&r->why, "pool %s: cannot write %s = ", pool, key);
	text_add_quoted(&r->why, path);
	text_add(&r->why, ": %s; %s", strerror(error),
	         error == ENOENT ? "make its directory, writable for the pool's user"
	                         : "name a file that the pool's user can write");
	return -error;
}

int logs_check(struct reading *r)
{
	const struct fpm_settings *settings = &r->answer->settings;
	int result = 0;

	for (unsigned i = 0; result >= 0 && i < settings->pool_count; i++) {
		const char *pool = settings->pools[i].name;

		result = check(r, pool, "access.log");
		if (result >= 0 &&
		    strtoul(fpm_dump_get(&r->dump, pool, "request_slowlog_timeout"), NULL, 10) > 0)
			result = check(r, pool, "slowlog");
	}
	return result;
}
