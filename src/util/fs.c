#include "util/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"

int write_file_at(int dir_fd, const char *name, const char *text)
{
	_cleanup_close_ int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, text, strlen(text));
	if (n < 0)
		return -errno;
	return (size_t)n == strlen(text) ? 0 : -EIO;
}

ssize_t read_file(const char *path, char *to, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t length = 0;

	if (fd < 0)
		return -errno;
	while (length < size - 1) {
		ssize_t n = read(fd, to + length, size - 1 - length);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	to[length] = '\0';
	return (ssize_t)length;
}

struct file_stamp file_stamp_of(const struct stat *st)
{
	return (struct file_stamp){ st->st_dev, st->st_ino, st->st_size, st->st_ctim, st->st_mtim };
}

static bool is_same_time(struct timespec one, struct timespec other)
{
	return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

bool file_stamp_same(const struct file_stamp *one, const struct file_stamp *other)
{
	return one->device == other->device && one->inode == other->inode &&
	       one->size == other->size && is_same_time(one->changed, other->changed) &&
	       is_same_time(one->written, other->written);
}

int make_dir_at(int dir_fd, const char *name, mode_t mode)
{
	struct stat st;

	if (mkdirat(dir_fd, name, mode) < 0 && errno != EEXIST)
		return -errno;

	_cleanup_close_ int fd =
		openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* Whoever owns it could exchange what we put there. */
	if (st.st_uid != geteuid())
		return -EPERM;
	if (fchmod(fd, mode) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int path_of_fd(int fd, char *to, size_t size)
{
	char link[FD_PATH_SIZE];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, to, size);
	if (n < 0)
		return -errno;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	to[n] = '\0';
	return 0;
}

void path_in_fd(int dir_fd, const char *name, char to[FD_PATH_SIZE])
{
	snprintf(to, FD_PATH_SIZE, "/proc/self/fd/%d/%s", dir_fd, name);
}

static void close_by_proc(unsigned first, unsigned last)
{
	_cleanup_close_ int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char buffer[2048] __attribute__((aligned(8)));
	long n;

	/* getdents64 itself: opendir() allocates, which a child of fork must not. */
	while (dir >= 0 && (n = syscall(SYS_getdents64, dir, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < n;) {
			struct dirent64 *entry = (struct dirent64 *)(void *)(buffer + at);
			int fd = (int)strtol(entry->d_name, NULL, 10);

			if (fd != dir && (unsigned)fd >= first && (unsigned)fd <= last &&
			    entry->d_name[0] != '.')
				(void)close(fd);
			at += entry->d_reclen;
		}
	}
}

static void close_between(unsigned first, unsigned last)
{
	if (first > last)
		return;
	if (syscall(SYS_close_range, first, last, 0) < 0)
		close_by_proc(first, last);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void close_all_but(int keep[], size_t count)
{
	unsigned next = STDERR_FILENO + 1;

	qsort(keep, count, sizeof(keep[0]), by_number);
	for (size_t i = 0; i < count; i++) {
		if ((unsigned)keep[i] > next)
			close_between(next, (unsigned)keep[i] - 1);
		if ((unsigned)keep[i] >= next)
			next = (unsigned)keep[i] + 1;
	}
	close_between(next, UINT_MAX);
}
