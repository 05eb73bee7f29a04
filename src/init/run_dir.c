#include "init/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "config/run_dirs.h"
#include "util/cleanup.h"
#include "util/fs.h"
#include "util/log.h"

#define PID "pid"

static int make_private(int run_fd)
{
	/* Helpers enter by our group, and where we are not root they are what we are. */
	return make_dir_at(run_fd, "private", geteuid() == 0 ? 0710 : 0700);
}

/* 0711: PHP must reach the prepended file by its path, and see nothing else. */
static int open_at(struct run_dir *run, const char *path)
{
	_cleanup_close_ int run_fd = make_dir_at(AT_FDCWD, path, 0711);
	if (run_fd < 0)
		return run_fd;
	/* Held as long as we live; nothing here may be touched while another twinit runs. */
	if (flock(run_fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	_cleanup_close_ int private_fd = make_private(run_fd);
	if (private_fd < 0)
		return private_fd;
	_cleanup_close_ int pin_fd = make_dir_at(run_fd, RUN_DIR_PIN, 0755);
	if (pin_fd < 0)
		return pin_fd;
	_cleanup_close_ int pid_fd = make_dir_at(run_fd, PID, 01733);
	if (pid_fd < 0)
		return pid_fd;
	int r = path_of_fd(run_fd, run->path, sizeof(run->path));
	if (r < 0)
		return r;
	run->fd = TAKE_FD(run_fd);
	run->private_fd = TAKE_FD(private_fd);
	run->pin_fd = TAKE_FD(pin_fd);
	return 0;
}

static const char *reason(int error)
{
	return error == -EPERM ? "it is somebody else's" : strerror(-error);
}

int run_dir_open(const struct config *config, struct run_dir *run)
{
	int r = open_at(run, config->run_dir);

	run->refused = r >= 0 ? 0 : r;
	if (r >= 0 || r == -EWOULDBLOCK || config->run_dir_set)
		return r;
	for (size_t i = 0; run_dirs[i]; i++)
		if (open_at(run, run_dirs[i]) >= 0)
			return 0;
	return r;
}

struct pin_cover run_dir_cover(const struct run_dir *run)
{
	return (struct pin_cover){ .path = run->path, .read_only = RUN_DIR_PIN, .writable = PID };
}

void run_dir_say(const struct config *config, const struct run_dir *run)
{
	if (run->refused < 0)
		log_write(NOTICE_RUN_DIR_FALLBACK, "", "run_dir %s cannot be used (%s), taking %s",
		          config->run_dir, reason(run->refused), run->path);
}

void run_dir_complain(const struct config *config, int error)
{
	if (error == -EWOULDBLOCK)
		log_write(
			NOTICE_RUN_DIR_TAKEN, "",
			"a twinit runs already in %s; see `twinit help` for how to talk to it, or "
			"set another run_dir",
			config->run_dir);
	else
		log_write(NOTICE_RUN_DIR_UNUSABLE, "", "cannot use run_dir %s%s: %s",
		          config->run_dir,
		          config->run_dir_set ? "" : " nor one of its fall-backs; set run_dir",
		          reason(error));
}
