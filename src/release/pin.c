#include "release/pin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "release/release.h"
#include "util/cleanup.h"
#include "util/fs.h"

const char *pin_name(enum pin pin)
{
	static const char *const names[] = {
		[PIN_NONE] = "none",
		[PIN_MOUNT] = "namespace",
		[PIN_USERNS] = "namespace (user namespace)",
		[PIN_PATH] = "path",
	};

	return names[pin];
}

/* --- by namespace --- */

/* The directory before and after the tmpfs was mounted over it. */
struct tree {
	int outer;
	int inner;
	const char *link_name;
	const char *link_target;
};

static int copy_link(const struct tree *tree, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(tree->outer, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	return symlinkat(target, tree->inner, name) < 0 ? -errno : 0;
}

/*
 * Always with MS_REC: in a user namespace a bind that would uncover what is mounted below is
 * refused with EINVAL (mount_namespaces(7)).
 */
static int bind_entry(const struct tree *tree, const char *name)
{
	char from[64 + NAME_MAX], to[64 + NAME_MAX];

	snprintf(from, sizeof(from), "/proc/self/fd/%d/%s", tree->outer, name);
	snprintf(to, sizeof(to), "/proc/self/fd/%d/%s", tree->inner, name);
	return mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0 ? -errno : 0;
}

static int bind_dir(const struct tree *tree, const char *name)
{
	if (mkdirat(tree->inner, name, 0755) < 0)
		return -errno;
	return bind_entry(tree, name);
}

static int bind_file(const struct tree *tree, const char *name)
{
	if (mknodat(tree->inner, name, S_IFREG | 0644, 0) < 0)
		return -errno;
	return bind_entry(tree, name);
}

static int add_entry(const struct tree *tree, const char *name)
{
	struct stat st;
	int r;

	if (strcmp(name, tree->link_name) == 0)
		return symlinkat(tree->link_target, tree->inner, name) < 0 ? -errno : 0;
	if (fstatat(tree->outer, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISLNK(st.st_mode))
		r = copy_link(tree, name);
	else if (S_ISDIR(st.st_mode))
		r = bind_dir(tree, name);
	else
		r = bind_file(tree, name);
	/* A deployer may remove an entry while we look. */
	return r == -ENOENT ? 0 : r;
}

static int add_entries(const struct tree *tree)
{
	int fd = openat(tree->outer, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		fd_close(&fd);
		return r;
	}
	while (r >= 0 && (errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = add_entry(tree, entry->d_name);
	if (r >= 0)
		r = -errno;
	(void)closedir(dir);
	return r;
}

/*
 * A remount must repeat the flags that the mount has: in a user namespace none that came from
 * outside may be cleared (mount_namespaces(7)).  ST_ and MS_ flags have the same values.
 */
static int remount_read_only(const char *path)
{
	const unsigned long keep = ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME | ST_NODIRATIME;
	struct statvfs fs;

	if (statvfs(path, &fs) < 0 ||
	    mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | (fs.f_flag & keep), NULL) <
	            0)
		return -errno;
	return 0;
}

static int make_release_read_only(const char *release)
{
	if (mount(release, release, NULL, MS_BIND | MS_REC, NULL) < 0)
		return -errno;
	return remount_read_only(release);
}

static int split_link(const char *link, char directory[PATH_MAX], const char **name)
{
	const char *slash = strrchr(link, '/');
	size_t length = slash ? (size_t)(slash - link) : 0;

	if (length == 0 || length >= PATH_MAX)
		return -EINVAL; /* a link in / itself: we cannot mount over that */
	memcpy(directory, link, length);
	directory[length] = '\0';
	*name = slash + 1;
	return 0;
}

/*
 * With the owner and mode of the real directory, so that who may enter that may enter this.  In a
 * user namespace an owner who is not mapped cannot be given (EINVAL), and need not be: it is ours.
 */
static int mount_tmpfs(const char *directory, const struct stat *st)
{
	char options[80];

	snprintf(options, sizeof(options), "mode=%04o,uid=%u,gid=%u", st->st_mode & 0777,
	         st->st_uid, st->st_gid);
	if (mount("twinit", directory, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	snprintf(options, sizeof(options), "mode=%04o", st->st_mode & 0777);
	return mount("twinit", directory, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0 ? -errno : 0;
}

static int mount_over(const char *directory, struct tree *tree)
{
	struct stat st;

	tree->outer = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (tree->outer < 0 || fstat(tree->outer, &st) < 0)
		return -errno;
	int r = mount_tmpfs(directory, &st);
	if (r < 0)
		return r;
	tree->inner = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return tree->inner < 0 ? -errno : 0;
}

/* What is mounted outside may come in, what we mount here must not get out. */
static int close_the_way_out(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ? -errno : 0;
}

/* Both entries, before what is around them becomes read-only. */
static int show(const struct pin_cover *cover, const struct tree *tree)
{
	char path[PATH_MAX];
	int r = bind_dir(tree, cover->writable);

	if (r >= 0)
		r = bind_dir(tree, cover->read_only);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%s", cover->path, cover->read_only);
	r = remount_read_only(path);
	return r < 0 ? r : remount_read_only(cover->path);
}

int pin_cover(const struct pin_cover *cover)
{
	struct tree tree = { .outer = FD_NONE, .inner = FD_NONE };
	int r = close_the_way_out();

	if (r >= 0)
		r = mount_over(cover->path, &tree);
	if (r >= 0)
		r = show(cover, &tree);
	fd_close(&tree.outer);
	fd_close(&tree.inner);
	return r;
}

int pin_tree(const char *link, const char *release, bool read_only)
{
	struct tree tree = { .outer = FD_NONE, .inner = FD_NONE };
	char directory[PATH_MAX];
	_cleanup_free_ char *working = getcwd(NULL, 0);
	int r = split_link(link, directory, &tree.link_name);

	if (r < 0)
		return r;
	tree.link_target = release_link_target(link, release);
	r = close_the_way_out();
	if (r >= 0)
		r = mount_over(directory, &tree);
	if (r >= 0)
		r = add_entries(&tree);
	fd_close(&tree.outer);
	fd_close(&tree.inner);
	if (r >= 0 && read_only)
		r = make_release_read_only(release);
	if (r >= 0)
		r = remount_read_only(directory);
	if (r >= 0 && (!working || chdir(working) < 0) && chdir("/") < 0)
		r = -errno;
	return r;
}

/* --- by path --- */

/* A PHP string in single quotes: only \ and ' mean something in it. */
static void put_php(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\\' || *text == '\'')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('\'', out);
}

int pin_write_prepend(FILE *out, const char *link, const char *release, const char *docroot,
                      const char *own_prepend)
{
	static const char mend[] =
		"    $docroot = $docroot === '' ? '' : '/' . $docroot;\n"
		"    $root = $release . $docroot;\n"
		"    $asked = rtrim($_SERVER['DOCUMENT_ROOT'] ?? '', '/');\n"
		"    if ($asked !== '' && $asked !== $link . $docroot && $asked !== $root) {\n"
		"        error_log(\"twinit: request for document root '$asked', but this pool is "
		"\"\n"
		"            . \"pinned to '$link$docroot'; give each site a pool of its own\");\n"
		"        http_response_code(500);\n"
		"        exit;\n"
		"    }\n"
		"    $_SERVER['DOCUMENT_ROOT'] = $root;\n"
		"    $_SERVER['SCRIPT_FILENAME'] = $root . $_SERVER['SCRIPT_NAME'];\n"
		"    if (isset($_SERVER['PATH_TRANSLATED'])) {\n"
		"        $_SERVER['PATH_TRANSLATED'] = $root . ($_SERVER['PATH_INFO'] ?? '');\n"
		"    }\n";

	fputs("<?php /* Made by twinit: the release of this replica. */\n(static function () {\n",
	      out);
	fputs("    $link = ", out);
	put_php(out, link);
	fputs(";\n    $release = ", out);
	put_php(out, release);
	fputs(";\n    $docroot = ", out);
	put_php(out, docroot);
	fputs(";\n", out);
	fputs(mend, out);
	fputs("})();\n", out);
	if (*own_prepend != '\0') {
		fputs("require ", out);
		put_php(out, own_prepend);
		fputs(";\n", out);
	}
	if (fflush(out) != 0)
		return -errno;
	return ferror(out) ? -EIO : 0;
}
