#include "cli/overview.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/processes.h"
#include "cli/scoreboard.h"
#include "cli/talk.h"
#include "process/child.h"
#include "session/finding_file.h"
#include "session/store.h"
#include "util/cleanup.h"

enum { NOT_THERE = 64 };

const char *overview_phase_name(enum container_phase phase)
{
	static const char *const names[] = {
		[CONTAINER_BOOTING] = "starting",
		[CONTAINER_RUNNING] = "running",
		[CONTAINER_STOPPING] = "stopping",
	};

	return names[phase];
}

const char *overview_store_name(uint32_t state)
{
	static const char *const names[] = {
		[STORE_NOT_ASKED] = "not asked",
		[STORE_OK] = "ok",
		[STORE_FAILED] = "failed",
	};

	return names[state];
}

const char *overview_group_name(enum group group)
{
	static const char *const names[] = {
		[GROUP_ACTIVE] = "active",
		[GROUP_CANDIDATE] = "candidate",
		[GROUP_OLD] = "old",
	};

	return names[group];
}

const struct findings *overview_findings(const struct wire_sessions *s)
{
	static struct findings findings;

	/* Read from the beginning each time. */
	if (s->findings_fd < 0 || finding_file_read(s->findings_fd, &findings) < 0)
		memset(&findings, 0, sizeof(findings));
	return &findings;
}

/* --- what PID 1 says --- */

struct taking {
	struct overview *overview;
	unsigned replica; /* 0: all */
};

/* What belongs to an app follows it. */
static struct app_view *last_app(struct overview *overview)
{
	return overview->app_count > 0 ? &overview->apps[overview->app_count - 1] : NULL;
}

static void take_app(struct overview *overview, const struct wire_app *wire)
{
	struct app_view *app = &overview->apps[overview->app_count];

	if (overview->app_count == ARRAY_SIZE(overview->apps))
		return;
	memset(app, 0, sizeof(*app));
	app->wire = *wire;
	app->sessions.findings_fd = FD_NONE;
	overview->app_count++;
}

static void take_replica(struct app_view *app, const struct wire_replica *wire, unsigned wanted)
{
	if (app && app->replica_count < ARRAY_SIZE(app->replicas) &&
	    (wanted == 0 || wire->number == wanted))
		app->replicas[app->replica_count++].wire = *wire;
}

static void take_sessions(struct app_view *app, const struct wire_sessions *wire)
{
	if (!app)
		return;
	fd_close(&app->sessions.findings_fd);
	app->sessions = *wire;
	/* The other one is closed behind the message. */
	app->sessions.findings_fd =
		wire->findings_fd < 0 ? FD_NONE : fcntl(wire->findings_fd, F_DUPFD_CLOEXEC, 0);
}

static void on_reply(const struct wire_reply *reply, void *context)
{
	struct taking *taking = context;
	struct overview *overview = taking->overview;
	struct app_view *app = last_app(overview);

	switch ((enum wire_kind)reply->kind) {
	case WIRE_CONTAINER:
		overview->container = reply->container;
		break;
	case WIRE_APP:
		take_app(overview, &reply->app);
		break;
	case WIRE_REPLICA:
		take_replica(app, &reply->replica, taking->replica);
		break;
	case WIRE_POOL:
		if (app && app->pool_count < ARRAY_SIZE(app->pools))
			app->pools[app->pool_count++] = reply->pool;
		break;
	case WIRE_SESSIONS:
		take_sessions(app, &reply->sessions);
		break;
	case WIRE_NEWS:
	case WIRE_END:
	case WIRE_KIND_COUNT:
		break;
	}
}

/* --- what others say --- */

static void add_memory(struct overview *overview)
{
	static struct processes processes;

	processes_read(&processes);
	for (unsigned i = 0; i < overview->app_count; i++)
		for (unsigned k = 0; k < overview->apps[i].replica_count; k++) {
			struct replica_view *replica = &overview->apps[i].replicas[k];

			replica->has_memory = replica->wire.pid != 0 &&
			                      processes_sum(&processes, (pid_t)replica->wire.pid,
			                                    &replica->memory, &replica->processes);
		}
}

static int check_replica(const struct overview *overview, const char *app, unsigned replica)
{
	if (replica == 0 || overview->app_count == 0 || overview->apps[0].replica_count > 0 ||
	    overview->apps[0].wire.stopped & 1u << (replica - 1))
		return EXIT_SUCCESS;
	fprintf(stderr, "twinit: app '%s' has no replica %u; see twinit status\n", app, replica);
	return NOT_THERE;
}

int overview_ask(const char *app, unsigned replica, bool deep, const struct overview **result)
{
	static struct overview overview;
	struct wire_request request = { .command = COMMAND_STATUS, .pools = deep };
	struct taking taking = { .overview = &overview, .replica = replica };

	for (unsigned i = 0; i < overview.app_count; i++)
		fd_close(&overview.apps[i].sessions.findings_fd);
	overview.app_count = 0;
	memset(&overview.container, 0, sizeof(overview.container));
	int status = talk_name(&request, app);
	if (status != EXIT_SUCCESS)
		return status;
	_cleanup_close_ int fd = talk_open(&request);
	if (fd < 0)
		return EXIT_FAILURE;
	status = talk_listen(fd, TALK_PATIENCE_MS, on_reply, &taking);
	if (status == EXIT_SUCCESS)
		status = check_replica(&overview, app, replica);
	if (status != EXIT_SUCCESS)
		return status;
	overview.here = connection_peer(fd) == (pid_t)overview.container.pid;
	int trouble = deep ? scoreboard_fill(talk_run_dir(), overview.apps, overview.app_count) : 0;
	if (trouble < 0)
		fprintf(stderr, "twinit: not every pool could be asked: %s\n",
		        child_trouble(trouble));
	if (deep && overview.here)
		add_memory(&overview);
	*result = &overview;
	return EXIT_SUCCESS;
}

struct fpm_status overview_total(const struct app_view *app, enum group group)
{
	struct fpm_status total = { 0 };

	for (unsigned i = 0; i < app->replica_count; i++) {
		const struct replica_view *replica = &app->replicas[i];

		if (replica->wire.group != (uint32_t)group)
			continue;
		scoreboard_add(&total, &replica->status);
		if (replica->status.queue > total.queue)
			total.queue = replica->status.queue;
		if (replica->status.queue_max > total.queue_max)
			total.queue_max = replica->status.queue_max;
	}
	return total;
}
