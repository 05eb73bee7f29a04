#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/exposition.h"
#include "cli/overview.h"
#include "session/store.h"
#include "util/macros.h"

enum family_id {
	INFO,
	UPTIME,
	HEALTHY,
	DEGRADED,
	REAPED,
	APP_HEALTHY,
	REPLICAS_WANTED,
	REPLICAS,
	STEERED,
	RESTARTS,
	DRAINING,
	ROLLS,
	ROLLING,
	LAST_ROLL,
	LAST_ROLL_TIME,
	LAST_ROLL_AGE,
	LAST_ROLL_STEP,
	REPLICA_UP,
	REPLICA_PING,
	REPLICA_AGE,
	REPLICA_MEMORY,
	REQUESTS,
	SLOW,
	LIMIT,
	WORKERS,
	WORKERS_MOST,
	QUEUE,
	SESSIONS_UP,
	SESSIONS_LATENCY,
	SESSIONS_AGE,
	SESSIONS_MEMBERS,
	FAMILY_COUNT,
};

static const struct family families[] = {
	[INFO] = { "twinit_info", "Always 1; the label is the version.", false },
	[UPTIME] = { "twinit_uptime_seconds", "Since twinit started.", true },
	[HEALTHY] = { "twinit_healthy", "1 when `twinit health` says so.", false },
	[DEGRADED] = { "twinit_degraded", "1 when it serves, but something is lost.", false },
	[REAPED] = { "twinit_reaped_processes_total",
	             "Processes that ended and were collected: masters, helpers, orphans.", false },
	[APP_HEALTHY] = { "twinit_app_healthy", "1 when the app is healthy.", false },
	[REPLICAS_WANTED] = { "twinit_replicas_wanted", "Replicas that the app shall have.",
	                      false },
	[REPLICAS] = { "twinit_replicas", "FPM masters by group and state.", false },
	[STEERED] = { "twinit_steered",
	              "1 when connections are steered to the active lane, so that a roll loses "
	              "none.",
	              false },
	[RESTARTS] = { "twinit_restarts_total",
	               "Masters that failed to start or ended by themselves.", false },
	[DRAINING] = { "twinit_draining_requests", "Requests that a drain waits for.", false },
	[ROLLS] = { "twinit_rolls_total", "Rolls that ended, by outcome.", false },
	[ROLLING] = { "twinit_rolling", "1 while a roll is under way.", false },
	[LAST_ROLL] = { "twinit_last_roll_done",
	                "1 when the last roll made the new release active, 0 when it did not.",
	                false },
	[LAST_ROLL_TIME] = { "twinit_last_roll_duration_seconds", "How long the last roll took.",
	                     true },
	[LAST_ROLL_AGE] = { "twinit_last_roll_age_seconds", "Since the last roll ended.", true },
	[LAST_ROLL_STEP] = { "twinit_last_roll_phase_seconds",
	                     "How long each phase of the last roll took.", true },
	[REPLICA_UP] = { "twinit_replica_up",
	                 "1 when the active replica is ready and FPM shows its status.", false },
	[REPLICA_PING] = { "twinit_replica_ping_seconds", "How long FPM's status took.", true },
	[REPLICA_AGE] = { "twinit_replica_age_seconds", "Since its master was started.", true },
	[REPLICA_MEMORY] = { "twinit_replica_memory_bytes",
	                     "What its master and workers have in memory for themselves.", false },
	[REQUESTS] = { "twinit_requests_total", "Requests since the replica's master was started.",
	               false },
	[SLOW] = { "twinit_slow_requests_total", "Requests above request_slowlog_timeout.", false },
	[LIMIT] = { "twinit_max_children_reached_total",
	            "How often all workers that are allowed were not enough.", false },
	[WORKERS] = { "twinit_workers", "Workers of active replicas, by what they do.", false },
	[WORKERS_MOST] = { "twinit_workers_busy_most",
	                   "Workers that were busy at once, at most, by FPM's count, to which each "
	                   "request on a kept connection is one more.",
	                   false },
	[QUEUE] = { "twinit_listen_queue", "Connections that wait for a worker (TCP).", false },
	[SESSIONS_UP] = { "twinit_sessions_up", "1 when the session store is as it should be.",
	                  false },
	[SESSIONS_LATENCY] = { "twinit_sessions_latency_seconds",
	                       "How long the session store took.", true },
	[SESSIONS_AGE] = { "twinit_sessions_age_seconds", "Since the session store was asked.",
	                   true },
	[SESSIONS_MEMBERS] = { "twinit_sessions_members",
	                       "Tasks that keep their sessions in that store.", false },
};
_Static_assert(ARRAY_SIZE(families) == FAMILY_COUNT, "a family has no row");

static uint64_t micro_of_ms(uint64_t ms)
{
	return ms * 1000;
}

/* @labels and one more. */
static void add_with(struct exposition *to, enum family_id family, const char *labels,
                     const char *name, const char *value, uint64_t number)
{
	char more[LABELS_SIZE];

	memcpy(more, labels, sizeof(more));
	labels_add(more, name, value);
	exposition_add(to, family, more, number);
}

static void add_container(struct exposition *to, const struct wire_container *c)
{
	char labels[LABELS_SIZE] = "";

	exposition_add(to, UPTIME, labels, micro_of_ms(c->uptime_ms));
	exposition_add(to, HEALTHY, labels, c->healthy != 0);
	exposition_add(to, DEGRADED, labels, c->degraded != 0);
	exposition_add(to, REAPED, labels, c->reaped);
	add_with(to, INFO, labels, "version", c->version, 1);
}

static void add_states(struct exposition *to, const struct app_view *app, const char *labels)
{
	unsigned counts[GROUP_COUNT][MASTER_STATE_COUNT] = { 0 };

	for (unsigned i = 0; i < app->replica_count; i++)
		counts[app->replicas[i].wire.group][app->replicas[i].wire.state]++;
	for (unsigned group = 0; group < GROUP_COUNT; group++) {
		char more[LABELS_SIZE];

		memcpy(more, labels, sizeof(more));
		labels_add(more, "group", overview_group_name(group));
		for (unsigned state = MASTER_GONE + 1; state < MASTER_STATE_COUNT; state++)
			add_with(to, REPLICAS, more, "state", master_state_name(state),
			         counts[group][state]);
	}
}

static void add_rolls(struct exposition *to, const struct wire_app *a, const char *labels)
{
	for (unsigned i = ROLL_DONE; i < ROLL_OUTCOME_COUNT; i++)
		add_with(to, ROLLS, labels, "outcome", roll_outcome_name(i), a->rolls_by[i]);
	exposition_add(to, ROLLING, labels, a->phase != ROLL_IDLE);
	if (a->rolls == 0)
		return;
	exposition_add(to, LAST_ROLL, labels, a->outcome == ROLL_DONE);
	exposition_add(to, LAST_ROLL_TIME, labels, micro_of_ms(a->last_roll_ms));
	exposition_add(to, LAST_ROLL_AGE, labels, micro_of_ms(a->last_roll_ago_ms));
	for (unsigned i = ROLL_IDLE + 1; i < ROLL_PHASE_COUNT; i++)
		add_with(to, LAST_ROLL_STEP, labels, "phase", roll_phase_name(i),
		         micro_of_ms(a->last_steps_ms[i]));
}

static void add_sessions(struct exposition *to, const struct wire_sessions *s, const char *labels)
{
	if (s->state == STORE_NOT_ASKED)
		return;
	exposition_add(to, SESSIONS_UP, labels, s->state == STORE_OK);
	exposition_add(to, SESSIONS_LATENCY, labels, s->latency_us);
	exposition_add(to, SESSIONS_AGE, labels, micro_of_ms(s->age_ms));
	exposition_add(to, SESSIONS_MEMBERS, labels, s->members);
}

static void add_pool(struct exposition *to, const struct pool_view *pool, const char *labels)
{
	const struct fpm_status *status = &pool->status;
	char more[LABELS_SIZE];

	if (!pool->answers)
		return;
	memcpy(more, labels, sizeof(more));
	labels_add(more, "pool", pool->name);
	exposition_add(to, REQUESTS, more, status->accepted);
	exposition_add(to, SLOW, more, status->slow);
	exposition_add(to, LIMIT, more, status->children_max);
	exposition_add(to, WORKERS_MOST, more, status->active_max);
	add_with(to, WORKERS, more, "state", "busy", status->busy);
	add_with(to, WORKERS, more, "state", "idle", status->processes - status->busy);
}

static void add_replica(struct exposition *to, const struct replica_view *replica,
                        const char *labels)
{
	const struct wire_replica *r = &replica->wire;
	char more[LABELS_SIZE], number[16];

	snprintf(number, sizeof(number), "%u", r->number);
	memcpy(more, labels, sizeof(more));
	labels_add(more, "replica", number);
	exposition_add(to, REPLICA_UP, more, r->state == MASTER_READY && replica->answers);
	if (r->pid != 0)
		exposition_add(to, REPLICA_AGE, more, micro_of_ms(r->age_ms));
	if (replica->answers)
		exposition_add(to, REPLICA_PING, more, replica->ping_us);
	if (replica->has_memory)
		exposition_add(to, REPLICA_MEMORY, more, replica->memory);
	for (unsigned i = 0; i < replica->pool_count; i++)
		add_pool(to, &replica->pools[i], more);
}

static void add_app(struct exposition *to, const struct app_view *app)
{
	const struct wire_app *a = &app->wire;
	char labels[LABELS_SIZE] = "";

	labels_add(labels, "app", a->name);
	exposition_add(to, APP_HEALTHY, labels, a->healthy != 0);
	exposition_add(to, REPLICAS_WANTED, labels, a->replicas);
	exposition_add(to, STEERED, labels, a->gated != 0);
	exposition_add(to, RESTARTS, labels, a->crashes);
	exposition_add(to, DRAINING, labels, a->busy);
	exposition_add(to, QUEUE, labels, overview_total(app, GROUP_ACTIVE).queue);
	add_states(to, app, labels);
	add_rolls(to, a, labels);
	add_sessions(to, &app->sessions, labels);
	/* Those of a roll would have the same names. */
	for (unsigned i = 0; i < app->replica_count; i++)
		if (app->replicas[i].wire.group == GROUP_ACTIVE && !app->replicas[i].wire.rescue)
			add_replica(to, &app->replicas[i], labels);
}

static int run(int argc, char *argv[])
{
	static struct exposition exposition;
	const struct overview *overview;
	bool open_metrics = false;

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--openmetrics") == 0)
			open_metrics = true;
		else
			return command_usage(&metrics_command, "unexpected argument", argv[i]);
	int r = overview_ask("", 0, true, &overview);
	if (r != EXIT_SUCCESS)
		return r;
	exposition_init(&exposition, families, FAMILY_COUNT);
	add_container(&exposition, &overview->container);
	for (unsigned i = 0; i < overview->app_count; i++)
		add_app(&exposition, &overview->apps[i]);
	exposition_print(&exposition, open_metrics);
	return EXIT_SUCCESS;
}

const struct command metrics_command = {
	.name = "metrics",
	.arguments = "[--openmetrics]",
	.summary = "numbers for Prometheus",
	.help = "In Prometheus's text format, which node_exporter's textfile collector and\n"
		"promtool read, too; see doc/monitoring.\n"
		"\n"
		"  --openmetrics   as OpenMetrics 1.0\n"
		"\n"
		"Exit status: 0 a running twinit answered, 1, and nothing on stdout, none did,\n"
		"64 usage.\n"
		"\n"
		"Example: twinit metrics | promtool check metrics\n",
	.run = run,
};
