#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/findings_json.h"
#include "cli/talk.h"
#include "session/finding_file.h"
#include "session/store.h"
#include "util/cleanup.h"

static const char *const phase_names[] = {
	[CONTAINER_BOOTING] = "starting",
	[CONTAINER_RUNNING] = "running",
	[CONTAINER_STOPPING] = "stopping",
};

static const char *const store_names[] = {
	[STORE_NOT_ASKED] = "not asked",
	[STORE_OK] = "ok",
	[STORE_FAILED] = "failed",
};

static const char *const group_names[] = {
	[GROUP_ACTIVE] = "active",
	[GROUP_CANDIDATE] = "candidate",
	[GROUP_OLD] = "old",
};

/* --- for people --- */

static void print_container(const struct wire_container *c)
{
	char time[32];

	printf("twinit %s, pid %u, up %s: %s%s%s%s%s\n", c->version, c->pid,
	       talk_time(c->uptime_ms, time), phase_names[c->phase],
	       c->healthy ? ", healthy" : ", unhealthy", c->degraded ? ", degraded" : "",
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

static void print_app(const struct wire_app *a)
{
	printf("\n%s: release %s, %u of %u replicas ready, listens on %s%s\n", a->name, a->release,
	       a->ready, a->replicas, a->address, a->addresses > 1 ? " and more" : "");
	printf("  isolation %s, gate %s, rolls %u%s%s\n", a->isolation, a->gated ? "on" : "OFF",
	       a->rolls, a->rolls ? ", last " : "", a->rolls ? roll_outcome_name(a->outcome) : "");
	print_roll(a);
	for (unsigned i = 0; i < REPLICAS_MAX; i++)
		if (a->stopped & 1u << i)
			printf("  replica %u was stopped; twinit start %s %u starts it\n", i + 1,
			       a->name, i + 1);
	if (a->busy > 0)
		printf("  drain waits for %u request%s; worker %d is '%s'\n", a->busy,
		       a->busy == 1 ? "" : "s", a->busy_pid, a->busy_state);
	if (a->outcome_text[0] != '\0')
		printf("  last roll: %s\n", a->outcome_text);
	if (a->publish_text[0] != '\0')
		printf("  static files: not published: %s\n", a->publish_text);
	printf("  %-8s %-9s %-12s %-4s %-8s %-16s %s\n", "REPLICA", "GROUP", "STATE", "LANE", "PID",
	       "RELEASE", "AGE");
}

static void print_replica(const struct wire_replica *r)
{
	char number[16], time[32];

	snprintf(number, sizeof(number), "%u%s", r->number, r->rescue ? " rescue" : "");
	printf("  %-8s %-9s %-12s %-4c %-8u %-16s %s\n", number, group_names[r->group],
	       master_state_name(r->state), (char)('A' + r->lane), r->pid, r->release,
	       talk_time(r->age_ms, time));
	if (r->failures > 0)
		printf("           failed %u time%s; the last one %s\n", r->failures,
		       r->failures == 1 ? "" : "s", r->failure);
}

static const struct findings *findings_of(const struct wire_sessions *s)
{
	static struct findings findings;

	if (s->findings_fd < 0 || finding_file_read(s->findings_fd, &findings) < 0)
		memset(&findings, 0, sizeof(findings));
	return &findings;
}

static void print_others(const struct wire_sessions *s)
{
	const struct findings *findings = findings_of(s);

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

static void on_text(const struct wire_reply *reply, void *context)
{
	(void)context;
	switch (reply->kind) {
	case WIRE_CONTAINER:
		print_container(&reply->container);
		break;
	case WIRE_APP:
		print_app(&reply->app);
		break;
	case WIRE_REPLICA:
		print_replica(&reply->replica);
		break;
	case WIRE_SESSIONS:
		print_sessions(&reply->sessions);
		break;
	default:
		break;
	}
}

/* --- for scripts --- */

static json_t *stopped_json(uint32_t stopped)
{
	json_t *numbers = json_array();

	for (int i = 0; i < REPLICAS_MAX; i++)
		if (stopped & 1u << i)
			json_array_append_new(numbers, json_integer(i + 1));
	return numbers;
}

static json_t *last_app(json_t *root)
{
	json_t *apps = json_object_get(root, "apps");

	return json_array_get(apps, json_array_size(apps) - 1);
}

static void add_container(json_t *root, const struct wire_container *c)
{
	json_object_set_new(root, "version", text_json(c->version));
	json_object_set_new(root, "pid", json_integer(c->pid));
	json_object_set_new(root, "uptime_ms", json_integer((json_int_t)c->uptime_ms));
	json_object_set_new(root, "phase", text_json(phase_names[c->phase]));
	json_object_set_new(root, "healthy", json_boolean(c->healthy));
	json_object_set_new(root, "degraded", json_boolean(c->degraded));
	json_object_set_new(root, "why", text_json(c->why));
	json_object_set_new(root, "reaped", json_integer((json_int_t)c->reaped));
	json_object_set_new(root, "apps", json_array());
}

static void add_app(json_t *root, const struct wire_app *a)
{
	json_t *app = json_object();

	json_object_set_new(app, "name", text_json(a->name));
	json_object_set_new(app, "release", text_json(a->release));
	json_object_set_new(app, "release_path", text_json(a->release_path));
	json_object_set_new(app, "replicas", json_integer(a->replicas));
	json_object_set_new(app, "ready", json_integer(a->ready));
	json_object_set_new(app, "address", text_json(a->address));
	json_object_set_new(app, "isolation", text_json(a->isolation));
	json_object_set_new(app, "gated", json_boolean(a->gated));
	json_object_set_new(app, "lane", json_integer(a->lane));
	json_object_set_new(app, "roll", text_json(roll_phase_name(a->phase)));
	json_object_set_new(app, "rolls", json_integer(a->rolls));
	json_object_set_new(app, "last_roll", text_json(roll_outcome_name(a->outcome)));
	json_object_set_new(app, "last_roll_why", text_json(a->outcome_text));
	json_object_set_new(app, "linger_ms", json_integer((json_int_t)a->linger_ms));
	json_object_set_new(app, "previous_release", text_json(a->previous));
	json_object_set_new(app, "stopped", stopped_json(a->stopped));
	json_object_set_new(app, "publish_why", text_json(a->publish_text));
	json_object_set_new(app, "draining_requests", json_integer(a->busy));
	json_object_set_new(app, "masters", json_array());
	json_array_append_new(json_object_get(root, "apps"), app);
}

static void add_replica(json_t *root, const struct wire_replica *r)
{
	json_t *master = json_object();

	json_object_set_new(master, "replica", json_integer(r->number));
	json_object_set_new(master, "rescue", json_boolean(r->rescue));
	json_object_set_new(master, "group", text_json(group_names[r->group]));
	json_object_set_new(master, "state", text_json(master_state_name(r->state)));
	json_object_set_new(master, "lane", json_integer(r->lane));
	json_object_set_new(master, "pid", json_integer(r->pid));
	json_object_set_new(master, "release", text_json(r->release));
	json_object_set_new(master, "starts", json_integer(r->starts));
	json_object_set_new(master, "failures", json_integer(r->failures));
	json_object_set_new(master, "last_failure", text_json(r->failure));
	json_object_set_new(master, "age_ms", json_integer((json_int_t)r->age_ms));
	json_array_append_new(json_object_get(last_app(root), "masters"), master);
}

static void add_sessions(json_t *root, const struct wire_sessions *s)
{
	json_t *sessions = json_object();

	json_object_set_new(sessions, "state", text_json(store_names[s->state]));
	json_object_set_new(sessions, "where", text_json(s->where));
	json_object_set_new(sessions, "stores", json_integer(s->stores));
	json_object_set_new(sessions, "latency_us", json_integer(s->latency_us));
	json_object_set_new(sessions, "members", members_json(findings_of(s)));
	json_object_set_new(sessions, "age_ms", json_integer((json_int_t)s->age_ms));
	json_object_set_new(sessions, "reason", text_json(s->reason));
	json_object_set_new(sessions, "warning", text_json(s->warning));
	json_object_set_new(last_app(root), "sessions", sessions);
}

static void on_json(const struct wire_reply *reply, void *context)
{
	json_t *root = context;

	switch (reply->kind) {
	case WIRE_CONTAINER:
		add_container(root, &reply->container);
		break;
	case WIRE_APP:
		add_app(root, &reply->app);
		break;
	case WIRE_REPLICA:
		add_replica(root, &reply->replica);
		break;
	case WIRE_SESSIONS:
		add_sessions(root, &reply->sessions);
		break;
	default:
		break;
	}
}

static int print_json(int fd)
{
	json_t *root = json_object();
	int status = talk_listen(fd, TALK_PATIENCE_MS, on_json, root);

	if (status == 0) {
		json_dumpf(root, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(root);
	return status;
}

static int run(int argc, char *argv[])
{
	struct wire_request request = { .command = COMMAND_STATUS };
	bool json = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else if (argv[i][0] == '-' || request.app[0] != '\0')
			return command_usage(&status_command, "unexpected argument", argv[i]);
		else if (!talk_name(&request, argv[i]))
			return EXIT_FAILURE;
	}
	_cleanup_close_ int fd = talk_open(&request);
	if (fd < 0)
		return EXIT_FAILURE;
	return json ? print_json(fd) : talk_listen(fd, TALK_PATIENCE_MS, on_text, NULL);
}

const struct command status_command = {
	.name = "status",
	.arguments = "[--json] [APP]",
	.summary = "show apps, replicas, sessions and the last roll",
	.help = "Exit status 0 when a running twinit answered, 1 when none did.\n",
	.run = run,
};
