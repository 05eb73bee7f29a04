#include "release/point.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "release/link.h"
#include "util/cleanup.h"
#include "util/text.h"

/* What @link says; empty when there is none.  0, or -EINVAL for what is no symlink, or -errno. */
static int read_link(const char *link, char to[RELEASE_PATH_SIZE])
{
	ssize_t n = readlink(link, to, RELEASE_PATH_SIZE);

	if (n == RELEASE_PATH_SIZE)
		return -ENAMETOOLONG;
	to[n > 0 ? n : 0] = '\0';
	return n < 0 && errno != ENOENT ? -errno : 0;
}

/* "42" means the directory of that name beside the active release. */
static void make_absolute(const char *dir, const char *active, char to[PATH_MAX])
{
	const char *slash = strrchr(active, '/');
	struct text text = text_init(to, PATH_MAX);

	if (dir[0] != '/' && slash)
		text_add(&text, "%.*s/", (int)(slash - active), active);
	text_add(&text, "%s", dir);
}

static int refuse(int error, const char *path, const char *problem, struct text *why)
{
	text_add_quoted(why, path);
	text_add(why, " %s", problem);
	return error;
}

static int refuse_errno(int error, const char *path, struct text *why)
{
	text_add_quoted(why, path);
	text_add(why, ": %s", strerror(-error));
	return error;
}

/* Find the directory itself: no symlink may lead to it, because that could be moved. */
static int find_directory(const char *dir, const char *docroot, char real[PATH_MAX],
                          struct text *why)
{
	char inside[PATH_MAX];
	struct text text = TEXT(inside);
	struct stat st;

	if (!realpath(dir, real)) {
		int error = -errno;

		return refuse_errno(error, dir, why);
	}
	if (stat(real, &st) < 0 || !S_ISDIR(st.st_mode))
		return refuse(-ENOTDIR, real, "is no directory", why);
	if (strlen(real) >= RELEASE_PATH_SIZE)
		return refuse(-ENAMETOOLONG, real, "is too long a path", why);
	if (!docroot || docroot[0] == '\0')
		return 0;
	text_add(&text, "%s/%s", real, docroot);
	if (text.cut || stat(inside, &st) < 0 || !S_ISDIR(st.st_mode))
		return refuse(-ENOENT, real, "has no docroot in it; is it a release?", why);
	return 0;
}

static bool same_file(int fd, const char *path)
{
	struct stat a, b;

	return fd >= 0 && fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

int point_release(const char *link, const char *dir, const char *docroot, const char *active,
                  int active_fd, struct pointing *pointing, char *why, size_t why_size)
{
	struct text sentence = text_init(why, why_size);
	char absolute[PATH_MAX], real[PATH_MAX];

	*pointing = (struct pointing){ 0 };
	if (dir[0] == '\0')
		return refuse(-EINVAL, dir, "names no directory", &sentence);
	make_absolute(dir, active, absolute);
	int r = find_directory(absolute, docroot, real, &sentence);
	if (r < 0)
		return r;
	r = read_link(link, pointing->before);
	if (r == -EINVAL)
		return refuse(r, link, "is no symlink, so it cannot be made to name a release",
		              &sentence);
	if (r < 0)
		return refuse_errno(r, link, &sentence);
	pointing->is_active = same_file(active_fd, real);
	text_copy_cut(pointing->name, sizeof(pointing->name), strrchr(real, '/') + 1);
	text_copy_cut(pointing->after, sizeof(pointing->after), release_link_target(link, real));
	pointing->moved = strcmp(pointing->before, pointing->after) != 0;
	r = pointing->moved ? link_replace(link, pointing->after) : 0;
	if (r < 0)
		return refuse_errno(r, link, &sentence);
	return 0;
}

int point_back(const char *link, const struct pointing *pointing)
{
	char now[RELEASE_PATH_SIZE];
	int r = read_link(link, now);

	if (r < 0)
		return r;
	if (strcmp(now, pointing->after) != 0)
		return -EBUSY;
	if (pointing->before[0] == '\0')
		return unlink(link) < 0 ? -errno : 0;
	return link_replace(link, pointing->before);
}
