/* fs.h - small files and directories. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "util/macros.h"

/* Write @text to the existing or new file @name below @dir_fd in one write.  0 or -errno. */
MUST_CHECK int write_file_at(int dir_fd, const char *name, const char *text);

/*
 * Read a small file whole into @to of @size bytes, with a final NUL.  What does not fit is left.
 * Returns the length or -errno.
 */
MUST_CHECK ssize_t read_file(const char *path, char *to, size_t size);

/*
 * Make the directory @name below @dir_fd, or take the one that is there, and give it @mode.
 * Returns a descriptor of it (O_RDONLY, close-on-exec), -ENOTDIR when something else has the name
 * (a symlink too), -EPERM when it is somebody else's, or -errno.
 */
MUST_CHECK int make_dir_at(int dir_fd, const char *name, mode_t mode);

/*
 * Which file, as it was.  On a local file system the kernel sets `changed` at each change, and
 * nobody can set it back; `written` is for others.
 */
struct file_stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed, written;
};

/* That of the file that @st is about. */
struct file_stamp file_stamp_of(const struct stat *st);
/* Is it the same file, unchanged? */
bool file_stamp_same(const struct file_stamp *one, const struct file_stamp *other);

/* Where an open descriptor is now: readlink of /proc/self/fd/@fd.  0, -ENAMETOOLONG or -errno. */
MUST_CHECK int path_of_fd(int fd, char *to, size_t size);

/* "/proc/self/fd/N/NAME", short however deep the directory is; @to has FD_PATH_SIZE bytes. */
enum { FD_PATH_SIZE = 100 };
void path_in_fd(int dir_fd, const char *name, char to[FD_PATH_SIZE]);

/*
 * Close every descriptor above 2 but the @count ones in @keep (sorted here; not FD_NONE).  For a
 * child after fork: no allocation.  Uses close_range(2), or /proc before Linux 5.9.
 */
void close_all_but(int keep[], size_t count);
