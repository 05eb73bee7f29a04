/*
 * confined: run a program as an FPM worker lives, for tests of what that takes from PHP.
 *
 *     confined FILTERS UID GID SITE PROGRAM [ARGUMENT...]
 *
 * It is started as twinit starts a master (process/spawn.h): as that user, in a mount namespace
 * where the symlink SITE/current is fixed to the release that it names now and SITE/run is covered,
 * without any capability, under the syscall filters that FILTERS names: deny (confine = standard in
 * a container that has a filter of its own), standard (in one that has none), strict.  FPM's
 * workers only inherit all that.  stdin is /dev/null, stdout and stderr are our stdout; the working
 * directory and the environment stay.  Exits as the program does.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine/filter.h"
#include "loop/reap.h"
#include "process/spawn.h"

/* What an FPM configuration is given that asks for nothing special; 0: no such word. */
static uint32_t filters_of(const char *word)
{
	const uint32_t denied = filter_deny(&(struct filter_needs){ false, false });

	if (strcmp(word, "deny") == 0)
		return denied;
	if (strcmp(word, "standard") == 0)
		return denied | FILTER_BIT(FILTER_ALLOW);
	if (strcmp(word, "strict") == 0)
		return denied | FILTER_BIT(FILTER_ALLOW_STRICT);
	return 0;
}

static int trouble(const char *what, int error)
{
	fprintf(stderr, "confined: %s: %s\n", what, strerror(-error));
	return 125;
}

/* What is to be said of a child that ended: that it never became the program, or its exit code. */
static int verdict(struct child *child, const siginfo_t *ended)
{
	enum spawn_stage stage;
	int r = spawn_report(&child->report_fd, &stage);

	return r < 0 ? trouble(spawn_stage_name(stage), r) : exit_code_of(ended);
}

int main(int argc, char **argv)
{
	struct inheritance inheritance = { .umask = umask(022) };
	char link[PATH_MAX], release[PATH_MAX], run_dir[PATH_MAX];
	siginfo_t ended = { 0 };
	struct child child;
	int r;

	if (argc < 6 || filters_of(argv[1]) == 0) {
		fputs("usage: confined deny|standard|strict UID GID SITE PROGRAM [ARGUMENT...]\n",
		      stderr);
		return 125;
	}
	snprintf(link, sizeof(link), "%s/current", argv[4]);
	snprintf(run_dir, sizeof(run_dir), "%s/run", argv[4]);
	if (!realpath(link, release))
		return trouble(link, -errno);
	r = spawn_start(
		&(struct spawn){
			.inheritance = &inheritance,
			.path = argv[5],
			.argv = (const char *const *)&argv[5],
			.envp = (const char *const *)environ,
			.stderr_fd = STDOUT_FILENO,
			.secrets = "",
			.filters = filters_of(argv[1]),
			.identity = { .uid = (uid_t)atoi(argv[2]), .gid = (gid_t)atoi(argv[3]) },
			.pin = PIN_MOUNT,
			.link = link,
			.release = release,
			.cover = { run_dir, "shown", "private" },
		},
		&child);
	if (r < 0)
		return trouble("cannot make a process", r);
	if (waitid(P_PID, (id_t)child.pid, &ended, WEXITED) < 0)
		return trouble("cannot wait", -errno);
	return verdict(&child, &ended);
}
