#include "cli/findings_json.h"
#include "cli/json.h"
#include "cli/status.h"

static void set_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, text_json(text));
}

static json_t *stopped_json(uint32_t stopped)
{
	json_t *numbers = json_array();

	for (int i = 0; i < REPLICAS_MAX; i++)
		if (stopped & 1u << i)
			json_array_append_new(numbers, json_integer(i + 1));
	return numbers;
}

static json_t *workers_json(const struct fpm_status *status)
{
	json_t *workers = json_object();

	set_number(workers, "accepted", status->accepted);
	set_number(workers, "active", status->busy);
	set_number(workers, "idle", status->processes - status->busy);
	set_number(workers, "max_active", status->active_max);
	set_number(workers, "max_children_reached", status->children_max);
	set_number(workers, "slow_requests", status->slow);
	set_number(workers, "listen_queue", status->queue);
	set_number(workers, "max_listen_queue", status->queue_max);
	return workers;
}

static json_t *pools_json(const struct replica_view *replica)
{
	json_t *pools = json_array();

	for (unsigned i = 0; i < replica->pool_count; i++) {
		const struct pool_view *view = &replica->pools[i];
		json_t *pool = json_object();

		set_text(pool, "name", view->name);
		json_object_set_new(pool, "answers", json_boolean(view->answers));
		json_object_set_new(pool, "workers",
		                    view->answers ? workers_json(&view->status) : json_null());
		json_array_append_new(pools, pool);
	}
	return pools;
}

/* What is not known is null. */
static json_t *known(bool is_known, uint64_t number)
{
	return is_known ? json_integer((json_int_t)number) : json_null();
}

static json_t *master_json(const struct replica_view *replica)
{
	const struct wire_replica *r = &replica->wire;
	json_t *master = json_object();

	set_number(master, "replica", r->number);
	json_object_set_new(master, "rescue", json_boolean(r->rescue));
	set_text(master, "group", overview_group_name(r->group));
	set_text(master, "state", master_state_name(r->state));
	set_number(master, "lane", r->lane);
	set_number(master, "pid", r->pid);
	set_text(master, "release", r->release);
	set_number(master, "starts", r->starts);
	set_number(master, "failures", r->failures);
	set_text(master, "last_failure", r->failure);
	set_number(master, "age_ms", r->age_ms);
	json_object_set_new(master, "answers", json_boolean(replica->answers));
	json_object_set_new(master, "ping_us", known(replica->answers, replica->ping_us));
	json_object_set_new(master, "workers",
	                    replica->answers ? workers_json(&replica->status) : json_null());
	json_object_set_new(master, "pools", pools_json(replica));
	json_object_set_new(master, "memory_bytes", known(replica->has_memory, replica->memory));
	json_object_set_new(master, "processes", known(replica->has_memory, replica->processes));
	return master;
}

static json_t *rolls_json(const struct wire_app *a)
{
	json_t *rolls = json_object();

	for (int i = ROLL_DONE; i < ROLL_OUTCOME_COUNT; i++)
		set_number(rolls, roll_outcome_name(i), a->rolls_by[i]);
	return rolls;
}

static json_t *steps_json(const struct wire_app *a)
{
	json_t *steps = json_object();

	for (int i = ROLL_PREFLIGHT; i < ROLL_PHASE_COUNT; i++)
		set_number(steps, roll_phase_name(i), a->last_steps_ms[i]);
	return steps;
}

static json_t *sessions_json(const struct wire_sessions *s)
{
	json_t *sessions = json_object();

	set_text(sessions, "state", overview_store_name(s->state));
	set_text(sessions, "where", s->where);
	set_number(sessions, "stores", s->stores);
	set_number(sessions, "latency_us", s->latency_us);
	json_object_set_new(sessions, "members", members_json(overview_findings(s)));
	set_number(sessions, "age_ms", s->age_ms);
	set_text(sessions, "reason", s->reason);
	set_text(sessions, "warning", s->warning);
	return sessions;
}

static json_t *app_json(const struct app_view *view)
{
	const struct wire_app *a = &view->wire;
	struct fpm_status total = overview_total(view, GROUP_ACTIVE);
	json_t *app = json_object(), *masters = json_array();

	set_text(app, "name", a->name);
	json_object_set_new(app, "healthy", json_boolean(a->healthy));
	set_text(app, "release", a->release);
	set_text(app, "release_path", a->release_path);
	set_number(app, "replicas", a->replicas);
	set_number(app, "ready", a->ready);
	set_text(app, "address", a->address);
	set_text(app, "isolation", a->isolation);
	json_object_set_new(app, "gated", json_boolean(a->gated));
	set_number(app, "lane", a->lane);
	set_text(app, "roll", roll_phase_name(a->phase));
	set_number(app, "rolls", a->rolls);
	set_text(app, "last_roll", roll_outcome_name(a->outcome));
	set_text(app, "last_roll_why", a->outcome_text);
	json_object_set_new(app, "last_roll_ms", known(a->rolls > 0, a->last_roll_ms));
	json_object_set_new(app, "last_roll_ago_ms", known(a->rolls > 0, a->last_roll_ago_ms));
	json_object_set_new(app, "last_roll_steps_ms", steps_json(a));
	json_object_set_new(app, "rolls_by_outcome", rolls_json(a));
	set_number(app, "crashes", a->crashes);
	set_number(app, "linger_ms", a->linger_ms);
	set_text(app, "previous_release", a->previous);
	json_object_set_new(app, "stopped", stopped_json(a->stopped));
	set_text(app, "publish_why", a->publish_text);
	set_number(app, "draining_requests", a->busy);
	json_object_set_new(app, "workers", workers_json(&total));
	for (unsigned i = 0; i < view->replica_count; i++)
		json_array_append_new(masters, master_json(&view->replicas[i]));
	json_object_set_new(app, "masters", masters);
	json_object_set_new(app, "sessions", sessions_json(&view->sessions));
	return app;
}

json_t *status_json(const struct overview *overview)
{
	const struct wire_container *c = &overview->container;
	json_t *root = json_object(), *apps = json_array();

	set_text(root, "version", c->version);
	set_number(root, "pid", c->pid);
	set_number(root, "uptime_ms", c->uptime_ms);
	set_text(root, "phase", overview_phase_name(c->phase));
	json_object_set_new(root, "healthy", json_boolean(c->healthy));
	json_object_set_new(root, "degraded", json_boolean(c->degraded));
	set_text(root, "why", c->why);
	set_number(root, "reaped", c->reaped);
	for (unsigned i = 0; i < overview->app_count; i++)
		json_array_append_new(apps, app_json(&overview->apps[i]));
	json_object_set_new(root, "apps", apps);
	return root;
}
