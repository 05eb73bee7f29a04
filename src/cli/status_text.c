#include <stdio.h>
#include <string.h>

#include "cli/status.h"
#include "cli/table.h"
#include "cli/talk.h"
#include "session/store.h"

enum column {
	COLUMN_REPLICA,
	COLUMN_STATE,
	COLUMN_LANE,
	COLUMN_PING,
	COLUMN_PID,
	COLUMN_RELEASE,
	COLUMN_AGE,
	COLUMN_BUSY,
	COLUMN_QUEUE,
	COLUMN_REQUESTS,
	COLUMN_MEMORY,
	COLUMN_COUNT,
};

static const struct table_column columns[] = {
	[COLUMN_REPLICA] = { "REPLICA", .least = 12 },
	[COLUMN_STATE] = { .title = "STATE" },
	[COLUMN_LANE] = { .title = "LANE" },
	[COLUMN_PING] = { "PING", .right = true },
	[COLUMN_PID] = { "PID", .right = true },
	[COLUMN_RELEASE] = { "RELEASE", .least = 4 },
	[COLUMN_AGE] = { "AGE", .right = true },
	[COLUMN_BUSY] = { "BUSY/IDLE", .right = true },
	[COLUMN_QUEUE] = { "QUEUE", .right = true },
	[COLUMN_REQUESTS] = { "REQS", .right = true },
	[COLUMN_MEMORY] = { "MEM", .right = true },
};

/* --- the table --- */

static enum table_colour colour_of(const struct wire_replica *r)
{
	if (r->state == MASTER_READY)
		return COLOUR_GOOD;
	return r->state == MASTER_BACKOFF || r->state == MASTER_ABORTING ||
	                       r->state == MASTER_KILLING
	               ? COLOUR_BAD
	               : COLOUR_DOUBT;
}

/* An active replica has a number, the others a word too; of a long name the number stays. */
static void set_name(struct table_cell *cell, const struct wire_replica *r)
{
	static const char *const words[] = {
		[GROUP_ACTIVE] = "",
		[GROUP_CANDIDATE] = " new",
		[GROUP_OLD] = " old",
	};

	if (strlen(r->app) > 16)
		cell_set(cell, "%.15s~/%u%s", r->app, r->number,
		         r->rescue ? " late" : words[r->group]);
	else
		cell_set(cell, "%s/%u%s", r->app, r->number, r->rescue ? " late" : words[r->group]);
}

static void set_status(struct table_cell *cells, const struct replica_view *replica)
{
	const struct fpm_status *status = &replica->status;
	char number[32];

	if (!replica->answers) {
		cell_set(&cells[COLUMN_PING], "none");
		cells[COLUMN_PING].colour = COLOUR_BAD;
		return;
	}
	cell_set(&cells[COLUMN_PING], "%s",
	         replica->ping_us < 1000 ? "<1ms"
	                                 : talk_short_time(replica->ping_us / 1000, number));
	cell_set(&cells[COLUMN_BUSY], "%u/%u", status->busy, status->processes - status->busy);
	cell_set(&cells[COLUMN_QUEUE], "%s", talk_number(status->queue, 1000, number));
	cell_set(&cells[COLUMN_REQUESTS], "%s", talk_number(status->accepted, 1000, number));
}

static void add_row(struct table *table, const struct replica_view *replica)
{
	const struct wire_replica *r = &replica->wire;
	struct table_cell *cells = table_row(table);
	char text[32];

	if (!cells)
		return;
	set_name(&cells[COLUMN_REPLICA], r);
	cell_set(&cells[COLUMN_STATE], "%s", master_state_name(r->state));
	cells[COLUMN_STATE].colour = colour_of(r);
	cell_set(&cells[COLUMN_LANE], "%c", (char)('A' + r->lane));
	cell_set(&cells[COLUMN_RELEASE], "%s", r->release);
	for (int i = COLUMN_PING; i < COLUMN_COUNT; i++)
		if (i != COLUMN_RELEASE)
			cell_set(&cells[i], "-");
	if (r->pid == 0)
		return;
	cell_set(&cells[COLUMN_PID], "%u", r->pid);
	cell_set(&cells[COLUMN_AGE], "%s", talk_short_time(r->age_ms, text));
	set_status(cells, replica);
	if (replica->has_memory)
		cell_set(&cells[COLUMN_MEMORY], "%s", talk_number(replica->memory, 1024, text));
}

static void print_table(const struct overview *overview, bool colours)
{
	static struct table table;

	table_init(&table, columns, COLUMN_COUNT);
	for (unsigned i = 0; i < overview->app_count; i++)
		for (unsigned k = 0; k < overview->apps[i].replica_count; k++)
			add_row(&table, &overview->apps[i].replicas[k]);
	putchar('\n');
	table_print(&table, colours);
}

/* --- sentences --- */

static void print_container(const struct wire_container *c, bool colours)
{
	char time[32];
	enum table_colour colour = !c->healthy   ? COLOUR_BAD
	                           : c->degraded ? COLOUR_DOUBT
	                                         : COLOUR_GOOD;

	printf("twinit %s, pid %u, up %s: %s, %s%shealthy%s%s%s%s\n", c->version, c->pid,
	       talk_time(c->uptime_ms, time), overview_phase_name(c->phase),
	       table_paint(colour, colours), c->healthy ? "" : "un",
	       c->degraded ? ", degraded" : "", table_unpaint(colour, colours),
	       c->why[0] ? ": " : "", c->why);
}

static void print_roll(const struct wire_app *a)
{
	char time[32];

	if (a->linger_ms > 0)
		printf("  watching the new release; for %s twinit rollback goes back at once\n",
		       talk_time(a->linger_ms, time));
	else if (a->phase != ROLL_IDLE)
		printf("  rolling now: %s\n", roll_phase_name(a->phase));
}

static void print_last_roll(const struct wire_app *a)
{
	char took[32], ago[32];

	if (a->rolls > 0)
		printf(", last %s in %s, %s ago", roll_outcome_name(a->outcome),
		       talk_time(a->last_roll_ms, took), talk_time(a->last_roll_ago_ms, ago));
	putchar('\n');
}

static void print_workers(const struct app_view *app)
{
	struct fpm_status s = overview_total(app, GROUP_ACTIVE);

	printf("  workers %u busy, %u idle, at most %llu by FPM's count, limit reached %llu "
	       "times\n",
	       s.busy, s.processes - s.busy, s.active_max, s.children_max);
	printf("  requests %llu, slow %llu, queue %llu, at most %llu\n", s.accepted, s.slow,
	       s.queue, s.queue_max);
}

static void print_replicas(const struct app_view *app)
{
	const struct wire_app *a = &app->wire;

	for (unsigned i = 0; i < REPLICAS_MAX; i++)
		if (a->stopped & 1u << i)
			printf("  replica %u was stopped; twinit start %s %u starts it\n", i + 1,
			       a->name, i + 1);
	for (unsigned i = 0; i < app->replica_count; i++) {
		const struct wire_replica *r = &app->replicas[i].wire;

		if (r->failures > 0)
			printf("  replica %u failed %u time%s; the last one %s\n", r->number,
			       r->failures, r->failures == 1 ? "" : "s", r->failure);
	}
}

static void print_app(const struct app_view *app)
{
	const struct wire_app *a = &app->wire;

	printf("\n%s: release %s, %u of %u replicas ready, listens on %s%s\n", a->name, a->release,
	       a->ready, a->replicas, a->address, a->addresses > 1 ? " and more" : "");
	printf("  isolation %s, gate %s, rolls %u", a->isolation, a->gated ? "on" : "OFF",
	       a->rolls);
	print_last_roll(a);
	print_roll(a);
	print_workers(app);
	print_replicas(app);
	if (a->busy > 0)
		printf("  drain waits for %u request%s; worker %d is '%s'\n", a->busy,
		       a->busy == 1 ? "" : "s", a->busy_pid, a->busy_state);
	if (a->outcome_text[0] != '\0')
		printf("  last roll: %s\n", a->outcome_text);
	if (a->publish_text[0] != '\0')
		printf("  static files: not published: %s\n", a->publish_text);
}

static void print_others(const struct wire_sessions *s)
{
	const struct findings *findings = overview_findings(s);

	for (uint32_t i = 0; i < findings->member_count; i++) {
		const struct member *m = &findings->members[i];

		if (!m->self)
			printf("  sessions: shared with %s (%s)\n", m->hostname, m->addresses);
	}
}

static void print_sessions(const struct wire_sessions *s)
{
	char time[32];

	if (s->state == STORE_NOT_ASKED)
		printf("  sessions: not in Redis, or not verified\n");
	else if (s->state == STORE_OK)
		printf("  sessions: ok, %s, %u.%u ms, %u task%s, asked %s ago\n", s->where,
		       s->latency_us / 1000, s->latency_us % 1000 / 100, s->members,
		       s->members == 1 ? "" : "s", talk_time(s->age_ms, time));
	else
		printf("  sessions: LOST: %s\n", s->reason);
	if (s->warning[0] != '\0')
		printf("  sessions: warning: %s\n", s->warning);
	if (s->members > 1)
		print_others(s);
}

void status_print(const struct overview *overview)
{
	bool colours = table_colours();

	print_container(&overview->container, colours);
	print_table(overview, colours);
	for (unsigned i = 0; i < overview->app_count; i++) {
		print_app(&overview->apps[i]);
		print_sessions(&overview->apps[i].sessions);
	}
}
