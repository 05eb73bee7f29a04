#include "rollout/rollout.h"

#include <assert.h>

#include "util/macros.h"

static unsigned present(const struct roll_view *view, enum group group)
{
	unsigned n = 0;

	for (unsigned state = MASTER_GONE + 1; state < MASTER_STATE_COUNT; state++)
		n += view->masters[group][state];
	return n;
}

static unsigned in_state(const struct roll_view *view, enum group group, enum master_state state)
{
	return view->masters[group][state];
}

/* A candidate in any other state than these has failed. */
static bool candidates_failed(const struct roll_view *view, unsigned wanted)
{
	return in_state(view, GROUP_CANDIDATE, MASTER_STARTING) +
	               in_state(view, GROUP_CANDIDATE, MASTER_READY) <
	       wanted;
}

/* Nothing begins by stopping the last healthy master. */
static bool must_make_room(const struct roll_view *view)
{
	return view->surge == 0 && in_state(view, GROUP_ACTIVE, MASTER_READY) >= 2;
}

static struct order enter(struct rollout *r, enum roll_phase phase, struct order order)
{
	r->phase = phase;
	return order;
}

static struct order plain(enum order_kind kind)
{
	return (struct order){ .kind = kind };
}

static struct order finish(struct rollout *r, enum roll_outcome outcome)
{
	return enter(r, ROLL_IDLE, (struct order){ .kind = ORDER_FINISH, .outcome = outcome });
}

static struct order build(struct rollout *r, const struct roll_view *view)
{
	unsigned count = rollout_build_count(view->replicas, view->surge);

	return enter(r, ROLL_BUILD, (struct order){ .kind = ORDER_BUILD, .count = count });
}

static struct order fail(struct rollout *r)
{
	r->outcome = ROLL_FAILED;
	return enter(r, ROLL_ABANDON, plain(ORDER_ABANDON));
}

static struct order in_idle(struct rollout *r)
{
	if (!r->again)
		return plain(ORDER_NONE);
	*r = (struct rollout){ .phase = ROLL_IDLE };
	return enter(r, ROLL_PREFLIGHT, plain(ORDER_PREFLIGHT));
}

static struct order in_preflight(struct rollout *r, const struct roll_view *view)
{
	if (view->preflight == ANSWER_NO)
		return finish(r, ROLL_REFUSED);
	if (view->preflight == ANSWER_YES)
		return enter(r, ROLL_LANE, plain(ORDER_CLEAR));
	return plain(ORDER_NONE);
}

static struct order in_lane(struct rollout *r, const struct roll_view *view)
{
	if (view->lane_empty == ANSWER_NO)
		return finish(r, ROLL_REFUSED);
	if (view->lane_empty == ANSWER_PENDING)
		return plain(ORDER_NONE);
	if (!must_make_room(view))
		return build(r, view);
	r->before_room = present(view, GROUP_ACTIVE);
	return enter(r, ROLL_ROOM, plain(ORDER_ROOM));
}

static struct order in_room(struct rollout *r, const struct roll_view *view)
{
	if (present(view, GROUP_ACTIVE) >= r->before_room)
		return plain(ORDER_NONE);
	/* It took its time to leave; a late connection may have come to the lane meanwhile. */
	if (view->lane_empty == ANSWER_NO)
		return fail(r);
	return view->lane_empty == ANSWER_YES ? build(r, view) : plain(ORDER_NONE);
}

static struct order in_build(struct rollout *r, const struct roll_view *view)
{
	unsigned wanted = rollout_build_count(view->replicas, view->surge);

	if (r->cutover_failed || candidates_failed(view, wanted))
		return fail(r);
	if (in_state(view, GROUP_CANDIDATE, MASTER_READY) < wanted)
		return plain(ORDER_NONE);
	return enter(r, ROLL_PROVE, plain(ORDER_PROVE));
}

static struct order in_prove(struct rollout *r, const struct roll_view *view)
{
	unsigned wanted = rollout_build_count(view->replicas, view->surge);

	if (view->proof == ANSWER_NO || in_state(view, GROUP_CANDIDATE, MASTER_READY) < wanted)
		return fail(r);
	return view->proof == ANSWER_YES ? enter(r, ROLL_PUBLISH, plain(ORDER_PUBLISH))
	                                 : plain(ORDER_NONE);
}

static struct order in_publish(struct rollout *r, const struct roll_view *view)
{
	unsigned wanted = rollout_build_count(view->replicas, view->surge);

	if (view->published == ANSWER_NO || in_state(view, GROUP_CANDIDATE, MASTER_READY) < wanted)
		return fail(r);
	if (view->published == ANSWER_PENDING)
		return plain(ORDER_NONE);
	r->outcome = ROLL_DONE;
	return enter(r, ROLL_WATCH, plain(ORDER_CUTOVER));
}

static bool want_back(const struct roll_view *view)
{
	unsigned made = rollout_build_count(view->replicas, view->surge);

	return view->condemned || in_state(view, GROUP_ACTIVE, MASTER_READY) < made;
}

static struct order in_watch(struct rollout *r, const struct roll_view *view)
{
	bool way_back = !r->return_failed && in_state(view, GROUP_OLD, MASTER_READY) > 0;

	if (view->lingers && want_back(view) && way_back) {
		r->outcome = ROLL_TAKEN_BACK;
		return enter(r, ROLL_RETURN, plain(ORDER_BACK));
	}
	/* Whoever asks for one more roll wants to get on. */
	if (view->lingers && !r->again)
		return plain(ORDER_NONE);
	return enter(r, ROLL_DRAIN, plain(ORDER_DRAIN));
}

static struct order in_return(struct rollout *r)
{
	return enter(r, ROLL_DRAIN, plain(ORDER_DRAIN));
}

static struct order in_drain(struct rollout *r, const struct roll_view *view)
{
	/* A further roll need not wait for a long drain, unless replicas are still to come. */
	bool next_waits = r->again && view->drain_long && view->surge >= view->replicas;

	if (present(view, GROUP_OLD) > 0 && !next_waits)
		return plain(ORDER_NONE);
	return enter(r, ROLL_FILL, plain(ORDER_FILL));
}

static struct order in_fill(struct rollout *r, const struct roll_view *view)
{
	return in_state(view, GROUP_ACTIVE, MASTER_STARTING) == 0 ? finish(r, r->outcome)
	                                                          : plain(ORDER_NONE);
}

static struct order in_abandon(struct rollout *r, const struct roll_view *view)
{
	return present(view, GROUP_CANDIDATE) == 0 ? enter(r, ROLL_FILL, plain(ORDER_FILL))
	                                           : plain(ORDER_NONE);
}

void rollout_request(struct rollout *rollout)
{
	rollout->again = true;
}

struct order rollout_next(struct rollout *rollout, const struct roll_view *view)
{
	switch (rollout->phase) {
	case ROLL_IDLE:
		return in_idle(rollout);
	case ROLL_PREFLIGHT:
		return in_preflight(rollout, view);
	case ROLL_LANE:
		return in_lane(rollout, view);
	case ROLL_ROOM:
		return in_room(rollout, view);
	case ROLL_BUILD:
		return in_build(rollout, view);
	case ROLL_PROVE:
		return in_prove(rollout, view);
	case ROLL_PUBLISH:
		return in_publish(rollout, view);
	case ROLL_WATCH:
		return in_watch(rollout, view);
	case ROLL_RETURN:
		return in_return(rollout);
	case ROLL_DRAIN:
		return in_drain(rollout, view);
	case ROLL_FILL:
		return in_fill(rollout, view);
	case ROLL_ABANDON:
		return in_abandon(rollout, view);
	case ROLL_PHASE_COUNT:
		break;
	}
	return plain(ORDER_NONE);
}

void rollout_cutover_failed(struct rollout *rollout)
{
	rollout->cutover_failed = true;
	rollout->phase = ROLL_BUILD;
}

void rollout_return_failed(struct rollout *rollout)
{
	rollout->return_failed = true;
	rollout->outcome = ROLL_DONE;
	rollout->phase = ROLL_WATCH;
}

void rollout_cancel(struct rollout *rollout)
{
	*rollout = (struct rollout){ .phase = ROLL_IDLE };
}

unsigned rollout_build_count(unsigned replicas, unsigned surge)
{
	if (surge == 0)
		return 1;
	return surge < replicas ? surge : replicas;
}

const char *roll_phase_name(enum roll_phase phase)
{
	static const char *const names[] = {
		[ROLL_IDLE] = "idle",       [ROLL_PREFLIGHT] = "preflight",
		[ROLL_LANE] = "lane",       [ROLL_ROOM] = "room",
		[ROLL_BUILD] = "build",     [ROLL_PROVE] = "prove",
		[ROLL_PUBLISH] = "publish", [ROLL_WATCH] = "watch",
		[ROLL_RETURN] = "return",   [ROLL_DRAIN] = "drain",
		[ROLL_FILL] = "fill",       [ROLL_ABANDON] = "abandon",
	};
	_Static_assert(ARRAY_SIZE(names) == ROLL_PHASE_COUNT, "a phase has no name");

	assert(phase < ROLL_PHASE_COUNT);
	return names[phase];
}

const char *roll_outcome_name(enum roll_outcome outcome)
{
	static const char *const names[] = {
		[ROLL_NONE] = "none",
		[ROLL_DONE] = "done",
		[ROLL_REFUSED] = "refused",
		[ROLL_FAILED] = "failed",
		[ROLL_TAKEN_BACK] = "taken-back",
	};
	_Static_assert(ARRAY_SIZE(names) == ROLL_OUTCOME_COUNT, "an outcome has no name");

	assert(outcome < ROLL_OUTCOME_COUNT);
	return names[outcome];
}
