#include "process/child.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

const char *spawn_stage_name(enum spawn_stage stage)
{
	static const char *const names[] = {
		[STAGE_SESSION] = "make a session of its own",
		[STAGE_SECRETS] = "be given its secrets",
		[STAGE_GROUPS] = "take the pool's groups",
		[STAGE_NAMESPACE] = "enter a mount namespace",
		[STAGE_PRIVATE_TREE] = "pin the release",
		[STAGE_LIMITS] = "take its process.priority",
		[STAGE_BOUNDING_SET] = "empty the capability bounding set",
		[STAGE_USER] = "become the pool's user",
		[STAGE_CAPABILITIES] = "drop its capabilities",
		[STAGE_NO_NEW_PRIVILEGES] = "set no_new_privs",
		[STAGE_DESCRIPTORS] = "hand its descriptors over",
		[STAGE_FILTERS] = "load its syscall filters",
		[STAGE_EXEC] = "be executed",
	};
	_Static_assert(ARRAY_SIZE(names) == SPAWN_STAGE_COUNT, "a stage has no name");

	assert(stage < SPAWN_STAGE_COUNT);
	return names[stage];
}

const char *child_trouble(int error)
{
	if (error == -EAGAIN)
		return "no more processes may be made; raise the container's pids limit, or ulimit "
		       "-u";
	if (error == -ENOMEM)
		return "there was not enough memory; raise the container's memory limit";
	return strerror(-error);
}

int spawn_report(int *report_fd, enum spawn_stage *stage)
{
	struct spawn_failure failure;
	ssize_t n = *report_fd < 0 ? 0 : read(*report_fd, &failure, sizeof(failure));

	fd_close(report_fd);
	if (n != (ssize_t)sizeof(failure) || failure.stage >= SPAWN_STAGE_COUNT)
		return 0;
	*stage = failure.stage;
	return failure.error < 0 ? failure.error : -EPROTO;
}
