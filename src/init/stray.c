#include "init/stray.h"

#include <errno.h>
#include <signal.h>

enum {
	STRAY_MS = 5000,    /* what they get for the request they serve */
	STOPPING_MS = 1000, /* the same while we stop */
};

static void on_stray_late(struct deadline *deadline)
{
	struct stray *stray = container_of(deadline, struct stray, deadline);

	(void)kill(-stray->group, SIGKILL);
}

/*
 * The group's number stays taken as long as it has a member, and we reap them all, so it cannot
 * become somebody else's behind our back.
 */
void stray_adopt(struct supervisor *supervisor, pid_t group)
{
	if (kill(-group, SIGQUIT) < 0 && errno == ESRCH)
		return; /* nobody left */
	for (size_t i = 0; i < STRAYS_MAX; i++) {
		struct stray *stray = &supervisor->strays[i];

		if (stray->group != 0)
			continue;
		*stray = (struct stray){ .group = group, .supervisor = supervisor };
		stray->deadline.on_due = on_stray_late;
		deadline_arm(&supervisor->loop, &stray->deadline,
		             supervisor->stop == STOP_NONE ? STRAY_MS : STOPPING_MS);
		return;
	}
	(void)kill(-group, SIGKILL);
}

void strays_look(struct supervisor *supervisor)
{
	for (size_t i = 0; i < STRAYS_MAX; i++) {
		struct stray *stray = &supervisor->strays[i];

		if (stray->group != 0 && kill(-stray->group, 0) < 0 && errno == ESRCH) {
			deadline_disarm(&supervisor->loop, &stray->deadline);
			stray->group = 0;
		}
	}
}

bool strays_left(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < STRAYS_MAX; i++)
		if (supervisor->strays[i].group != 0)
			return true;
	return false;
}

void strays_kill(struct supervisor *supervisor)
{
	for (size_t i = 0; i < STRAYS_MAX; i++)
		if (supervisor->strays[i].group != 0)
			(void)kill(-supervisor->strays[i].group, SIGKILL);
}
