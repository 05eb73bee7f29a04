#include "release/release.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/fs.h"
#include "util/text.h"

void release_none(struct release *release)
{
	*release = (struct release){ .fd = FD_NONE, .name = "image" };
}

/* Say what is wrong with @link, as somebody who has to mend it wants to read it. */
static int complain(const char *link, int error, char *why, size_t why_size)
{
	struct text text = text_init(why, why_size);
	char target[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	text_add(&text, "release ");
	text_add_quoted(&text, link);
	if (n >= 0) {
		target[n] = '\0';
		text_add(&text, " points to ");
		text_add_quoted(&text, target);
		text_add(&text,
		         error == ENOENT ? ", which does not exist; point it to a release"
		                         : ", which cannot be used: %s",
		         strerror(error));
	} else if (errno == EINVAL) {
		text_add(&text,
		         " is not a symlink; twinit pins the directory that a symlink names");
	} else {
		text_add(&text, ": %s", strerror(errno));
	}
	return -error;
}

static void name_of(const char *path, char *name)
{
	const char *slash = strrchr(path, '/');

	struct text text = text_init(name, RELEASE_NAME_SIZE);

	text_add(&text, "%s", slash && slash[1] ? slash + 1 : path);
}

int release_resolve(const char *link, struct release *release, char *why, size_t why_size)
{
	struct stat st;
	struct release found;

	release_none(release);
	release_none(&found);
	if (link[0] == '\0')
		return 0;
	if (lstat(link, &st) < 0)
		return complain(link, errno, why, why_size);
	if (!S_ISLNK(st.st_mode))
		return complain(link, EINVAL, why, why_size);

	_cleanup_close_ int fd = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return complain(link, errno, why, why_size);
	int r = path_of_fd(fd, found.path, sizeof(found.path));
	if (r < 0)
		return complain(link, -r, why, why_size);
	name_of(found.path, found.name);
	found.fd = TAKE_FD(fd);
	*release = found;
	return 0;
}

void release_adopt(struct release *release, const char *path, int fd)
{
	release_none(release);
	if (path[0] == '\0') {
		fd_close(&fd);
		return;
	}
	text_copy_cut(release->path, sizeof(release->path), path);
	name_of(release->path, release->name);
	release->fd = fd;
}

int release_refresh(struct release *release)
{
	static const char deleted[] = " (deleted)"; /* what proc(5) adds */
	char path[RELEASE_PATH_SIZE + sizeof(deleted)];
	int r = release->fd < 0 ? 0 : path_of_fd(release->fd, path, sizeof(path));

	if (release->fd < 0 || r < 0)
		return r;
	size_t length = strlen(path);
	if (length >= strlen(deleted) && strcmp(path + length - strlen(deleted), deleted) == 0)
		return -ENOENT;
	text_copy_cut(release->path, sizeof(release->path), path);
	return 0;
}

void release_done(struct release *release)
{
	fd_close(&release->fd);
	release_none(release);
}

const char *release_link_target(const char *link, const char *target)
{
	const char *slash = strrchr(link, '/');
	size_t length = slash ? (size_t)(slash - link) + 1 : 0;

	if (length > 0 && strncmp(link, target, length) == 0 && target[length] != '\0')
		return target + length;
	return target;
}
