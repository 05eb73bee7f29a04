#include "init/masters.h"

#include <string.h>

#include "init/launch.h"
#include "init/master.h"
#include "init/sessions.h"
#include "init/stray.h"
#include "util/cgroup.h"
#include "util/clock.h"
#include "util/log.h"

enum { OOM_MS = 1000 };

void masters_init(struct app *app)
{
	for (size_t i = 0; i < MASTERS_MAX; i++)
		master_prepare(&app->masters[i], app);
}

static struct master *free_place(struct app *app)
{
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (app->masters[i].state == MASTER_GONE)
			return &app->masters[i];
	return NULL;
}

void master_start(struct app *app, struct generation *generation, enum group group, unsigned lane,
                  unsigned number, bool rescue)
{
	struct master *master = free_place(app);

	if (!master) {
		log_write(NOTICE_NO_PLACE, app->config.name, "no place for one more master");
		return;
	}
	master->group = group;
	master->generation = generation;
	master->lane = lane;
	master->number = number;
	master->rescue = rescue;
	master->crashes = 0;
	master->failures = 0;
	master->failure[0] = '\0';
	master->starts = 0;
	master_deliver(master, EVENT_START);
}

struct master *master_find(struct app *app, enum group group, unsigned number)
{
	for (size_t i = 0; i < MASTERS_MAX; i++) {
		struct master *master = &app->masters[i];

		if (master->state != MASTER_GONE && master->group == group &&
		    master->number == number && !master->rescue)
			return master;
	}
	return NULL;
}

static struct master *find_pid(struct supervisor *supervisor, pid_t pid)
{
	for (size_t a = 0; a < supervisor->app_count; a++)
		for (size_t i = 0; i < MASTERS_MAX; i++)
			if (supervisor->apps[a].masters[i].child.pid == pid)
				return &supervisor->apps[a].masters[i];
	return NULL;
}

bool master_is(struct supervisor *supervisor, pid_t pid)
{
	return find_pid(supervisor, pid) != NULL;
}

/* --- the end of a master --- */

/* FPM's own words for its exit status (fpm.h); 254 is a fatal error of PHP before any script. */
static const char *exit_meaning(int status)
{
	switch (status) {
	case 64:
		return " (usage)";
	case 70:
		return " (software error)";
	case 78:
		return " (configuration error)";
	case 254:
		return " (PHP could not start, its own line says why)";
	default:
		return "";
	}
}

/* Several may die of one shortage, and the counter tells of all of them at the first. */
static bool is_out_of_memory(struct supervisor *s)
{
	uint64_t before = s->oom_kills, now_ms = clock_ms();

	s->oom_kills = cgroup_oom_kills(CGROUP_ROOT);
	if (s->oom_kills > before)
		s->oom_until_ms = now_ms + OOM_MS;
	return now_ms < s->oom_until_ms;
}

static void explain_signal(struct supervisor *s, int number, struct text *why)
{
	text_add(why, "was killed by signal %d (%s)", number, strsignal(number));
	if (number != SIGKILL || !is_out_of_memory(s))
		return;
	uint64_t limit = cgroup_memory_limit(CGROUP_ROOT);
	text_add(why, ", for want of memory");
	if (limit != UINT64_MAX)
		text_add(why, ": the container may have %u MiB", (unsigned)(limit >> 20));
}

static void explain(struct master *master, const siginfo_t *info)
{
	enum spawn_stage stage;
	int error = spawn_report(&master->child.report_fd, &stage);

	if (master->state == MASTER_ABORTING)
		return; /* that we killed it is not why it failed */
	struct text why = TEXT(master->why);
	if (error < 0)
		text_add(&why, "cannot %s: %s", spawn_stage_name(stage), strerror(-error));
	else if (info->si_code == CLD_EXITED)
		text_add(&why, "exited with status %d%s", info->si_status,
		         exit_meaning(info->si_status));
	else
		explain_signal(master->app->supervisor, info->si_status, &why);
}

/* It had all its workers leave first, which one that is killed on its way out did not. */
static bool left_orderly(const struct master *master, const siginfo_t *info)
{
	return (master->state == MASTER_QUITTING || master->state == MASTER_TERMINATING) &&
	       info->si_code == CLD_EXITED;
}

bool master_reaped(struct supervisor *supervisor, pid_t pid, const siginfo_t *info)
{
	struct master *master = find_pid(supervisor, pid);

	if (!master)
		return false;
	explain(master, info);
	master->child.pid = 0;
	launch_forget_config(master);
	launch_remove_private(master);
	/* After an orderly end what is left in its group are jobs that PHP started, not workers. */
	if (!left_orderly(master, info) || supervisor->stop != STOP_NONE)
		stray_adopt(supervisor, pid);
	if (master->state != MASTER_QUITTING)
		sessions_release(master->app);
	master_deliver(master, EVENT_EXIT);
	return true;
}

void masters_kill_all(struct supervisor *supervisor)
{
	for (size_t a = 0; a < supervisor->app_count; a++)
		for (size_t i = 0; i < MASTERS_MAX; i++) {
			const struct master *master = &supervisor->apps[a].masters[i];

			if (master->state == MASTER_GONE)
				continue;
			launch_remove_private(master);
			master_kill(master);
		}
	strays_kill(supervisor);
}
