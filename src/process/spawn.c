#include "process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine/caps.h"
#include "confine/filter.h"
#include "confine/namespace.h"
#include "confine/secrets.h"
#include "loop/signals.h"
#include "util/cleanup.h"
#include "util/fs.h"

static int enter_session(const struct spawn *spawn)
{
	signals_restore(&spawn->inheritance->mask);
	umask(spawn->inheritance->umask);
	return setsid() < 0 ? -errno : 0;
}

static int load_secrets(const struct spawn *spawn)
{
	char why[256];

	environ = (char **)spawn->envp;
	return secrets_load(spawn->secrets, why, sizeof(why));
}

static int take_groups(const struct spawn *spawn)
{
	return identity_take_groups(&spawn->identity);
}

/* Without CAP_SYS_ADMIN the namespace is made as the pool's user, who maps just himself. */
static int enter_namespace(const struct spawn *spawn)
{
	int r;

	switch (spawn->pin) {
	case PIN_MOUNT:
		return namespace_enter();
	case PIN_USERNS:
		r = identity_take_user(&spawn->identity);
		return r < 0 ? r : namespace_enter_as_user();
	case PIN_NONE:
	case PIN_PATH:
		break;
	}
	return 0;
}

static int pin_release(const struct spawn *spawn)
{
	int r;

	if (spawn->pin != PIN_MOUNT && spawn->pin != PIN_USERNS)
		return 0;
	r = pin_cover(&spawn->cover);
	if (r < 0 || spawn->link[0] == '\0')
		return r;
	return pin_tree(spawn->link, spawn->release, spawn->read_only);
}

static int take_limits(const struct spawn *spawn)
{
	return rlimits_take(&spawn->rlimits);
}

static int narrow_bounding_set(const struct spawn *spawn)
{
	int r = caps_lock(spawn->caps != 0);

	return r < 0 ? r : caps_bound(spawn->caps);
}

static int take_user(const struct spawn *spawn)
{
	return identity_take_user(&spawn->identity);
}

static int drop_capabilities(const struct spawn *spawn)
{
	return caps_keep(spawn->caps);
}

static int no_new_privileges(const struct spawn *spawn)
{
	(void)spawn;
	/* Where we are not PID 1 and get killed, masters must not keep the port.  After the change
	 * of user id, which clears it (prctl(2)). */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return -errno;
	return caps_no_new_privileges();
}

/* Move @fd out of the way of the final numbers. */
static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, SPAWN_PROGRAM_FD + 1);

	return moved < 0 ? -errno : moved;
}

static int place(int fd, int number)
{
	return dup2(fd, number) < 0 ? -errno : 0;
}

static int place_standard(const struct spawn *spawn)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int r = null < 0 ? -errno : place(spawn->stderr_fd, STDERR_FILENO);

	if (r >= 0)
		r = place(STDERR_FILENO, STDOUT_FILENO);
	return r < 0 ? r : place(null, STDIN_FILENO);
}

/* Only for the exec itself. */
static int place_program(int fd)
{
	return fd >= 0 && dup3(fd, SPAWN_PROGRAM_FD, O_CLOEXEC) < 0 ? -errno : 0;
}

static int hand_descriptors_over(const struct spawn *spawn, int *report_fd)
{
	int moved[SPAWN_FDS_MAX], keep[SPAWN_FDS_MAX + 2];
	int program = spawn->program_fd < 0 ? FD_NONE : move_up(spawn->program_fd);
	int r = spawn->program_fd < 0 ? 0 : program;
	size_t kept = 0;

	for (size_t i = 0; r >= 0 && i < spawn->fd_count; i++)
		r = moved[i] = move_up(spawn->fds[i]);
	if (r >= 0)
		r = move_up(*report_fd);
	if (r < 0)
		return r;
	keep[kept++] = *report_fd = r;
	r = place_standard(spawn);
	for (size_t i = 0; r >= 0 && i < spawn->fd_count; i++) {
		r = place(moved[i], SPAWN_FIRST_FD + (int)i);
		keep[kept++] = SPAWN_FIRST_FD + (int)i;
	}
	if (r >= 0)
		r = place_program(program);
	if (r < 0)
		return r;
	keep[kept++] = SPAWN_PROGRAM_FD;
	close_all_but(keep, kept);
	rlimits_give_back(spawn->inheritance->open_files);
	return 0;
}

static int load_filters(const struct spawn *spawn)
{
	return filter_load(spawn->filters);
}

/*
 * A process whose program it may not read is not dumpable (exec.c, would_dump()): other processes
 * of its user, PHP's above all, can neither read its memory and environment nor write to them.
 */
static int execute(const struct spawn *spawn)
{
	if (spawn->program_fd >= 0)
		execve(spawn->program_link, (char *const *)spawn->argv, environ);
	execve(spawn->path, (char *const *)spawn->argv, environ);
	return -errno;
}

/* The stages that need nothing but @spawn. */
static int (*const stages[])(const struct spawn *) = {
	[STAGE_SESSION] = enter_session,
	[STAGE_SECRETS] = load_secrets,
	[STAGE_GROUPS] = take_groups,
	[STAGE_NAMESPACE] = enter_namespace,
	[STAGE_PRIVATE_TREE] = pin_release,
	[STAGE_LIMITS] = take_limits,
	[STAGE_BOUNDING_SET] = narrow_bounding_set,
	[STAGE_USER] = take_user,
	[STAGE_CAPABILITIES] = drop_capabilities,
	[STAGE_NO_NEW_PRIVILEGES] = no_new_privileges,
	[STAGE_FILTERS] = load_filters,
	[STAGE_EXEC] = execute,
};

NORETURN static void run_child(const struct spawn *spawn, int report_fd)
{
	struct spawn_failure failure = { .stage = STAGE_SESSION };

	for (; failure.stage < SPAWN_STAGE_COUNT; failure.stage++) {
		failure.error = failure.stage == STAGE_DESCRIPTORS
		                        ? hand_descriptors_over(spawn, &report_fd)
		                        : stages[failure.stage](spawn);
		if (failure.error < 0)
			break;
	}
	/* Nobody to tell if this fails; the exit status still says that something did. */
	if (write(report_fd, &failure, sizeof(failure)) < 0)
		_exit(EXIT_FAILURE + 1);
	_exit(EXIT_FAILURE);
}

int spawn_start(const struct spawn *spawn, struct child *child)
{
	int report[2];

	if (spawn->fd_count > SPAWN_FDS_MAX)
		return -E2BIG;
	if (pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		run_child(spawn, report[1]);
	int error = -errno;
	fd_close(&report[1]);
	if (pid < 0) {
		fd_close(&report[0]);
		return error;
	}
	*child = (struct child){ .pid = pid, .report_fd = report[0] };
	return 0;
}
