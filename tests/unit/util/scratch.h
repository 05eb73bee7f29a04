/*
 * scratch.h - a directory of the test's own, which goes with it.
 *
 * scratch_begin() and scratch_end() are a group's fixtures; each test asks for its own directory
 * with scratch_dir().
 */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "leaks.h"

enum { SCRATCH_PATH_SIZE = 512 };

static char scratch_root[64];

static inline int scratch_begin(void **state)
{
	(void)state;
	strcpy(scratch_root, "/tmp/twinit-unit.XXXXXX");
	/* Tests that become somebody else must still reach it. */
	return mkdtemp(scratch_root) && chmod(scratch_root, 0755) == 0 ? 0 : -1;
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int kind,
                                     struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static inline int scratch_end(void **state)
{
	(void)state;
	return nftw(scratch_root, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A path from a format; valid for the next 15 calls. */
__attribute__((__format__(__printf__, 1, 2))) static inline const char *at(const char *format, ...)
{
	static char paths[16][SCRATCH_PATH_SIZE];
	static unsigned turn;
	char *path = paths[turn++ % 16];
	va_list args;

	va_start(args, format);
	vsnprintf(path, SCRATCH_PATH_SIZE, format, args);
	va_end(args);
	return path;
}

/* A new empty directory. */
static inline void scratch_dir(char to[SCRATCH_PATH_SIZE])
{
	static unsigned count;

	snprintf(to, SCRATCH_PATH_SIZE, "%s/%u", scratch_root, ++count);
	assert_int_equal(mkdir(to, 0755), 0);
}

/* Make the file @path with @text in it. */
static inline void scratch_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* What the symlink @path says; empty when there is none.  Until the next call. */
static inline const char *scratch_link(const char *path)
{
	static char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = '\0';
	return target;
}

/* How many entries a directory has, without "." and "..". */
static inline unsigned scratch_count(const char *path)
{
	DIR *dir = opendir(path);
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}
