#include "question/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine/filter.h"
#include "util/cgroup.h"
#include "util/cleanup.h"
#include "util/text.h"

enum { CONFIG_FD = 3, OUTPUT_MAX = 16 * 1024 * 1024 };

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool find_in(const char *directories, const char *name, char *path, size_t size)
{
	while (*directories) {
		size_t length = strcspn(directories, ":");
		struct text text = text_init(path, size);

		text_add(&text, "%.*s/%s", (int)length, directories, name);
		if (length > 0 && !text.cut && is_program(path))
			return true;
		directories += length + (directories[length] == ':');
	}
	return false;
}

static bool find(const char *name, char *path, size_t size)
{
	const char *directories = getenv("PATH");

	return (directories && find_in(directories, name, path, size)) ||
	       find_in("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", name, path,
	               size);
}

int program_find_fpm(const char *name, char *path, size_t size)
{
	char versioned[32];

	if (strchr(name, '/'))
		return is_program(name) && text_copy(path, size, name) ? 0 : -ENOENT;
	if (find(name, path, size))
		return 0;
	if (strcmp(name, "php-fpm") != 0)
		return -ENOENT;
	/* Debian has php-fpm8.4, Alpine php-fpm84. */
	for (int version = 99; version >= 74; version--) {
		snprintf(versioned, sizeof(versioned), "php-fpm%d.%d", version / 10, version % 10);
		if (find(versioned, path, size))
			return 0;
		snprintf(versioned, sizeof(versioned), "php-fpm%d", version);
		if (find(versioned, path, size))
			return 0;
	}
	return -ENOENT;
}

NORETURN static void execute(const char *const argv[], int config_fd, int output_fd)
{
	const struct rlimit most = { OUTPUT_MAX, OUTPUT_MAX };
	/* NOLINTNEXTLINE(android-cloexec-open): it may be 0 already, which is to stay open */
	int null = open("/dev/null", O_RDWR);

	/* A helper that is killed leaves nobody who would end what hangs. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null < 0 || setrlimit(RLIMIT_FSIZE, &most) < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(output_fd, STDOUT_FILENO) < 0 || dup2(output_fd, STDERR_FILENO) < 0)
		_exit(127);
	if (config_fd >= 0) {
		/* dup2() onto itself would leave close-on-exec set. */
		int moved = fcntl(config_fd, F_DUPFD, CONFIG_FD + 1);

		if (moved < 0 || dup2(moved, CONFIG_FD) < 0)
			_exit(127);
	}
	/*
	 * Nothing that is asked here is asked of a network.  And FPM opens its logs for -tt, as
	 * whoever asks: those of the pool's user root cannot open without capabilities, and what it
	 * made would be root's.
	 */
	if (filter_load(FILTER_BIT(FILTER_DENY_NETWORK) | FILTER_BIT(FILTER_NO_LOGS)) < 0)
		_exit(127);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static int read_all(int fd, char **output)
{
	off_t size = lseek(fd, 0, SEEK_END);
	_cleanup_free_ char *text = size < 0 ? NULL : malloc((size_t)size + 1);
	off_t at = 0;

	if (!text)
		return -ENOMEM;
	while (at < size) {
		ssize_t n = pread(fd, text + at, (size_t)(size - at), at);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
	}
	text[size] = '\0';
	*output = text;
	text = NULL;
	return 0;
}

int program_begin(struct program *program, const char *const argv[], int config_fd)
{
	_cleanup_close_ int fd = memfd_create("output", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	uint64_t kills = cgroup_oom_kills(CGROUP_ROOT);
	pid_t pid = fork();
	if (pid == 0)
		execute(argv, config_fd, fd);
	if (pid < 0)
		return -errno;
	*program = (struct program){ pid, TAKE_FD(fd), kills };
	return 0;
}

int program_end(struct program *program, char **output)
{
	const struct program ended = *program;
	_cleanup_close_ int fd = ended.output;
	int status;

	*program = (struct program){ 0 };
	if (waitpid(ended.pid, &status, 0) < 0)
		return -errno;
	if (WIFSIGNALED(status) && cgroup_oom_kills(CGROUP_ROOT) > ended.kills)
		return -ENOMEM;
	int r = read_all(fd, output);
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void program_abandon(struct program *program)
{
	(void)kill(program->pid, SIGKILL);
	(void)waitpid(program->pid, NULL, 0);
	(void)close(program->output);
	*program = (struct program){ 0 };
}

int program_run(const char *const argv[], int config_fd, char **output)
{
	struct program program;
	int r = program_begin(&program, argv, config_fd);

	return r < 0 ? r : program_end(&program, output);
}
