/*
 * Arbitrary events for the masters of one app under a rollout.  Orders are carried out as
 * src/init/roll.c does; the promises of rollout.h must hold throughout, and once the world behaves
 * every roll must end.
 */
#include "fuzz.h"

#include "config/config.h"
#include "listen/lane.h"
#include "rollout/lifecycle.h"
#include "rollout/rollout.h"

/* MASTERS_MAX and GENERATIONS_MAX of init/state.h. */
enum { PLACES = LANE_COUNT * (REPLICAS_MAX + 1), GENERATIONS = LANE_COUNT + 1 };

struct master {
	enum master_state state;
	enum group group;
	bool rescue;
	unsigned number;
	unsigned lane;
	unsigned generation; /* from 1 */
};

struct world {
	unsigned replicas;
	unsigned surge;
	bool steered;
	unsigned lanes; /* 2 to LANE_COUNT: with fewer of them more has to be waited for */
	struct master masters[PLACES];
	unsigned lane;           /* the active one */
	unsigned active;         /* generation */
	unsigned candidate;      /* the same; 0: none */
	unsigned build_lane;     /* LANE_COUNT: none is empty */
	bool queued[LANE_COUNT]; /* a connection waits there */
	struct rollout rollout;
	enum answer preflight;
	enum answer proof;
	enum answer published;
	bool linger; /* this roll keeps a way back */
	bool linger_over, condemned;
	unsigned back_lane, back;   /* where the way back leads: lane and generation */
	bool lane_limit, lane_late; /* armed; over */
	bool drain_long;
	bool spawn_fails, steer_fails, prepare_fails, return_fails;
	bool stopping;

	/* What the promises are about. */
	bool asked;                /* since the last roll began */
	bool rolling;              /* begun, not finished */
	enum roll_outcome outcome; /* of the last roll */
	bool touched;              /* a master was started or stopped by the roll at hand */
	unsigned cutovers;         /* of the roll at hand */
};

/* --- masters --- */

static unsigned count(const struct world *w, enum group group)
{
	unsigned n = 0;

	for (size_t i = 0; i < PLACES; i++)
		n += w->masters[i].state != MASTER_GONE && !w->masters[i].rescue &&
		     w->masters[i].group == group;
	return n;
}

static unsigned count_state(const struct world *w, enum group group, enum master_state state)
{
	unsigned n = 0;

	for (size_t i = 0; i < PLACES; i++)
		n += w->masters[i].state == state && !w->masters[i].rescue &&
		     w->masters[i].group == group;
	return n;
}

static void deliver(struct world *w, struct master *master, enum master_event event)
{
	struct transition t = lifecycle_next(master->state, event);

	if (t.action == ACTION_NONE)
		return;
	/* A process that cannot be made is an exit; it is never signalled. */
	assert(t.action != ACTION_QUIT || master->state != MASTER_BACKOFF);
	master->state = t.next;
	if (t.action == ACTION_SPAWN && w->spawn_fails)
		deliver(w, master, EVENT_EXIT);
}

static struct master *find(struct world *w, enum group group, unsigned number)
{
	for (size_t i = 0; i < PLACES; i++) {
		struct master *master = &w->masters[i];

		if (master->state != MASTER_GONE && master->group == group &&
		    master->number == number && !master->rescue)
			return master;
	}
	return NULL;
}

static void start(struct world *w, enum group group, unsigned lane, unsigned number, bool rescue)
{
	for (size_t i = 0; i < PLACES; i++) {
		struct master *master = &w->masters[i];

		if (master->state != MASTER_GONE)
			continue;
		*master = (struct master){
			.group = group,
			.lane = lane,
			.number = number,
			.rescue = rescue,
			.generation = group == GROUP_CANDIDATE ? w->candidate : w->active,
		};
		deliver(w, master, EVENT_START);
		return;
	}
	assert(!"there is a place for every master");
}

static bool has_master(const struct world *w, unsigned lane)
{
	for (size_t i = 0; i < PLACES; i++)
		if (w->masters[i].state != MASTER_GONE && w->masters[i].lane == lane)
			return true;
	return false;
}

static bool lane_empty(const struct world *w, unsigned lane)
{
	return !has_master(w, lane) && !w->queued[lane];
}

static unsigned pick_lane(const struct world *w)
{
	if (!w->steered)
		return w->lane;
	for (unsigned i = 1; i < w->lanes; i++) {
		unsigned lane = (w->lane + i) % w->lanes;

		if (lane_empty(w, lane))
			return lane;
	}
	return LANE_COUNT;
}

static void find_lane(struct world *w)
{
	if (w->rollout.phase == ROLL_LANE || w->rollout.phase == ROLL_ROOM)
		w->build_lane = pick_lane(w);
}

static bool has_rescue(const struct world *w, unsigned lane)
{
	for (size_t i = 0; i < PLACES; i++)
		if (w->masters[i].state != MASTER_GONE && w->masters[i].rescue &&
		    w->masters[i].lane == lane)
			return true;
	return false;
}

/* The workers of a lane that drains hang: somebody else must take what waits there. */
static void get_stuck(struct world *w, unsigned lane)
{
	for (size_t i = 0; i < PLACES; i++)
		if (w->masters[i].state == MASTER_DRAINING && w->masters[i].lane == lane &&
		    w->queued[lane] && !has_rescue(w, lane))
			start(w, GROUP_OLD, lane, 1, true);
}

/* A connection on a lane without masters gets one; a rescue master that is ready drains. */
static void watch_lanes(struct world *w)
{
	for (size_t i = 0; i < PLACES; i++)
		if (w->masters[i].rescue && w->masters[i].state == MASTER_READY)
			deliver(w, &w->masters[i], EVENT_DRAIN);
	for (unsigned lane = 0; w->steered && lane < w->lanes; lane++)
		if (w->queued[lane] && !has_master(w, lane) && (lane != w->lane || w->stopping))
			start(w, GROUP_OLD, lane, 1, true);
}

/* --- orders --- */

/* A rollout never stops or drains what serves, but for the one that surge = 0 gives up. */
static void end_by_order(struct world *w, struct master *master, enum master_event event)
{
	if (master->group == GROUP_ACTIVE) {
		assert(w->rollout.phase == ROLL_ROOM && w->surge == 0);
		assert(master->state == MASTER_READY);
		assert(count_state(w, GROUP_ACTIVE, MASTER_READY) >= 2);
	}
	deliver(w, master, event);
}

static bool generation_in_use(const struct world *w, unsigned generation)
{
	if (generation == w->active)
		return true;
	for (size_t i = 0; i < PLACES; i++)
		if (w->masters[i].state != MASTER_GONE && w->masters[i].generation == generation)
			return true;
	return false;
}

/* What a roll starts with has its own place; where none is free it is refused. */
static unsigned free_generation(const struct world *w)
{
	for (unsigned generation = 1; generation <= GENERATIONS; generation++)
		if (!generation_in_use(w, generation))
			return generation;
	return 0;
}

static void begin(struct world *w)
{
	assert(w->asked && !w->rolling && !w->stopping);
	w->asked = false;
	w->rolling = true;
	w->touched = false;
	w->cutovers = 0;
	w->candidate = free_generation(w);
	w->preflight = w->candidate ? ANSWER_PENDING : ANSWER_NO;
}

static void make_room(struct world *w)
{
	w->touched = true;
	for (unsigned number = w->replicas; number > 0; number--) {
		struct master *master = find(w, GROUP_ACTIVE, number);

		if (master && master->state == MASTER_READY) {
			end_by_order(w, master, EVENT_STOP);
			return;
		}
	}
	assert(!"an order to make room finds a master that is ready");
}

static void build(struct world *w, unsigned wanted)
{
	assert(count(w, GROUP_CANDIDATE) == 0);
	assert(wanted == rollout_build_count(w->replicas, w->surge));
	assert(!w->steered || (w->build_lane != w->lane && lane_empty(w, w->build_lane)));
	w->lane_limit = false;
	w->touched = true;
	if (w->prepare_fails) {
		rollout_cutover_failed(&w->rollout);
		return;
	}
	for (unsigned number = 1; number <= wanted; number++)
		start(w, GROUP_CANDIDATE, w->build_lane, number, false);
}

/* The active masters become old ones, and those of @from the active ones; as in cutover.c. */
static void change_guard(struct world *w, enum group from, unsigned generation)
{
	for (size_t i = 0; i < PLACES; i++) {
		struct master *master = &w->masters[i];

		if (master->state == MASTER_GONE || master->rescue)
			continue;
		if (master->group == GROUP_ACTIVE)
			master->group = GROUP_OLD;
		else if (master->group == from && master->generation == generation)
			master->group = GROUP_ACTIVE;
	}
}

static void cut_over(struct world *w)
{
	assert(count_state(w, GROUP_CANDIDATE, MASTER_READY) == count(w, GROUP_CANDIDATE));
	assert(count(w, GROUP_CANDIDATE) == rollout_build_count(w->replicas, w->surge));
	if (w->steer_fails) {
		rollout_cutover_failed(&w->rollout);
		return;
	}
	w->cutovers++;
	w->back_lane = w->lane;
	w->back = w->active;
	w->lane = w->build_lane;
	w->active = w->candidate;
	w->linger_over = w->condemned = false;
	change_guard(w, GROUP_CANDIDATE, w->active);
}

static bool lingers(const struct world *w)
{
	return w->linger && w->steered && w->surge >= w->replicas && !w->linger_over;
}

/* The masters that drain since an earlier roll stay where they are. */
static void go_back(struct world *w)
{
	assert(lingers(w));
	assert(count_state(w, GROUP_OLD, MASTER_READY) > 0);
	assert(w->condemned || count_state(w, GROUP_ACTIVE, MASTER_READY) < w->replicas);
	if (w->return_fails) {
		rollout_return_failed(&w->rollout);
		return;
	}
	w->cutovers++;
	change_guard(w, GROUP_OLD, w->back);
	w->lane = w->back_lane;
	w->active = w->back;
}

static void drain(struct world *w)
{
	w->drain_long = false;
	w->linger_over = true;
	for (size_t i = 0; i < PLACES; i++)
		if (w->masters[i].state != MASTER_GONE && !w->masters[i].rescue &&
		    w->masters[i].group == GROUP_OLD)
			end_by_order(w, &w->masters[i], w->steered ? EVENT_DRAIN : EVENT_STOP);
}

static void fill(struct world *w)
{
	for (unsigned number = 1; number <= w->replicas; number++)
		if (!find(w, GROUP_ACTIVE, number))
			start(w, GROUP_ACTIVE, w->lane, number, false);
}

static void abandon(struct world *w)
{
	for (size_t i = 0; i < PLACES; i++)
		if (w->masters[i].state != MASTER_GONE && w->masters[i].group == GROUP_CANDIDATE)
			end_by_order(w, &w->masters[i], EVENT_STOP);
}

static void finish(struct world *w, enum roll_outcome outcome)
{
	assert(w->rolling);
	w->rolling = false;
	w->lane_limit = false;
	w->candidate = 0;
	w->outcome = outcome;
	assert(outcome != ROLL_NONE && roll_outcome_name(outcome)[0]);
	assert(outcome != ROLL_REFUSED || !w->touched);
	assert(w->cutovers == (outcome == ROLL_DONE ? 1 : outcome == ROLL_TAKEN_BACK ? 2 : 0));
	assert(outcome == ROLL_REFUSED || count_state(w, GROUP_ACTIVE, MASTER_STARTING) == 0);
	assert(count(w, GROUP_CANDIDATE) == 0);
	/* The old ones are gone, unless their drain is long and somebody waits for the next roll.
	 */
	if (outcome == ROLL_DONE || outcome == ROLL_TAKEN_BACK)
		assert(count(w, GROUP_OLD) == 0 || (w->drain_long && w->asked));
}

static void carry_out(struct world *w, struct order order)
{
	switch (order.kind) {
	case ORDER_PREFLIGHT:
		begin(w);
		break;
	case ORDER_CLEAR:
		assert(w->preflight == ANSWER_YES);
		w->lane_late = false;
		w->lane_limit = true;
		break;
	case ORDER_ROOM:
		make_room(w);
		break;
	case ORDER_BUILD:
		build(w, order.count);
		break;
	case ORDER_PROVE:
		w->proof = ANSWER_PENDING;
		break;
	case ORDER_PUBLISH:
		assert(w->proof == ANSWER_YES);
		w->published = ANSWER_PENDING;
		break;
	case ORDER_CUTOVER:
		assert(w->published == ANSWER_YES);
		cut_over(w);
		break;
	case ORDER_BACK:
		go_back(w);
		break;
	case ORDER_DRAIN:
		drain(w);
		break;
	case ORDER_FILL:
		fill(w);
		break;
	case ORDER_ABANDON:
		abandon(w);
		break;
	case ORDER_FINISH:
		finish(w, order.outcome);
		break;
	case ORDER_NONE:
		break;
	}
}

/* --- promises about what there is, whatever was ordered --- */

static void check_master(const struct world *w, const struct master *master,
                         bool seen[GROUP_COUNT][LANE_COUNT][REPLICAS_MAX + 1])
{
	if (master->state == MASTER_GONE || master->rescue)
		return;
	assert(master->number >= 1 && master->number <= w->replicas);
	/* None is there twice; old ones of several rolls are on lanes of their own. */
	assert((master->group == GROUP_OLD && !w->steered) ||
	       !seen[master->group][master->lane][master->number]);
	seen[master->group][master->lane][master->number] = true;
	/* Outside a lane of their own candidates would have visitors. */
	if (master->group == GROUP_CANDIDATE && w->steered)
		assert(master->lane != w->lane);
	if (master->group == GROUP_ACTIVE)
		assert(master->lane == w->lane);
}

static void check(struct world *w)
{
	assert(roll_phase_name(w->rollout.phase)[0]);
	unsigned overlap = w->surge > 0 ? w->surge : 1;
	unsigned now = count(w, GROUP_ACTIVE) + count(w, GROUP_CANDIDATE);
	bool seen[GROUP_COUNT][LANE_COUNT][REPLICAS_MAX + 1] = { 0 };

	/* Besides them there are those that drain for long, and where room is tight there are none.
	 */
	assert(now <= w->replicas + overlap);
	if (w->surge < w->replicas)
		assert(now + count(w, GROUP_OLD) <= w->replicas + overlap);
	assert(count(w, GROUP_ACTIVE) <= w->replicas);
	for (size_t i = 0; i < PLACES; i++)
		check_master(w, &w->masters[i], seen);
	/* Outside of a roll every replica is there, or on its way back. */
	if (!w->rolling && !w->stopping)
		assert(count(w, GROUP_ACTIVE) == w->replicas);
}

static struct roll_view view_of(const struct world *w)
{
	struct roll_view view = {
		.replicas = w->replicas,
		.surge = w->surge,
		.preflight = w->preflight,
		.proof = w->proof,
		.published = w->published,
		.lingers = lingers(w),
		.condemned = w->condemned,
		.lane_empty = w->build_lane < LANE_COUNT ? ANSWER_YES
		              : w->lane_late             ? ANSWER_NO
		                                         : ANSWER_PENDING,
		.drain_long = w->drain_long,
	};

	for (size_t i = 0; i < PLACES; i++)
		if (w->masters[i].state != MASTER_GONE && !w->masters[i].rescue)
			view.masters[w->masters[i].group][w->masters[i].state]++;
	return view;
}

static void advance(struct world *w)
{
	struct order order;

	for (unsigned orders = 0;; orders++) {
		find_lane(w);
		struct roll_view view = view_of(w);

		order = rollout_next(&w->rollout, &view);
		if (order.kind == ORDER_NONE)
			break;
		/* A roll that ends at once may be followed by a remembered one, and no more. */
		assert(orders < 2 * 14);
		carry_out(w, order);
		check(w);
	}
	/* A candidate that failed is not waited for. */
	if (w->rollout.phase == ROLL_BUILD)
		assert(count_state(w, GROUP_CANDIDATE, MASTER_STARTING) +
		               count_state(w, GROUP_CANDIDATE, MASTER_READY) ==
		       rollout_build_count(w->replicas, w->surge));
	if (w->rollout.phase == ROLL_PROVE || w->rollout.phase == ROLL_PUBLISH)
		assert(count_state(w, GROUP_CANDIDATE, MASTER_READY) ==
		       rollout_build_count(w->replicas, w->surge));
	/* Who can go back does, and nobody lingers for longer than allowed. */
	if (w->rollout.phase == ROLL_WATCH) {
		assert(lingers(w) && !w->asked);
		assert(w->rollout.return_failed || count_state(w, GROUP_OLD, MASTER_READY) == 0 ||
		       (!w->condemned &&
		        count_state(w, GROUP_ACTIVE, MASTER_READY) == w->replicas));
	}
	watch_lanes(w);
	check(w);
}

/* --- what may happen --- */

static void request(struct world *w)
{
	if (w->stopping)
		return;
	rollout_request(&w->rollout);
	w->asked = true;
}

/* As shutdown_begin() and on_quiet_over() do. */
static void stop(struct world *w, enum master_event event)
{
	rollout_cancel(&w->rollout);
	w->stopping = true;
	w->asked = w->rolling = false;
	for (size_t i = 0; i < PLACES; i++) {
		if (w->masters[i].state != MASTER_GONE && w->masters[i].group == GROUP_CANDIDATE)
			deliver(w, &w->masters[i], EVENT_STOP);
		deliver(w, &w->masters[i], event);
	}
}

static void happen(struct world *w, uint8_t what, uint8_t with)
{
	/* Starts, drains and stops are orders; these the world says. */
	static const enum master_event events[] = { EVENT_READY, EVENT_IDLE, EVENT_EXIT,
		                                    EVENT_DEADLINE };

	switch (what % 14) {
	case 0:
		request(w);
		break;
	case 1:
		if (w->preflight == ANSWER_PENDING)
			w->preflight = with & 1 ? ANSWER_YES : ANSWER_NO;
		else if (w->proof == ANSWER_PENDING)
			w->proof = with & 1 ? ANSWER_YES : ANSWER_NO;
		else if (w->published == ANSWER_PENDING)
			w->published = with & 1 ? ANSWER_YES : ANSWER_NO;
		else if (w->rollout.phase == ROLL_WATCH && (with & 2))
			w->condemned = true;
		else if (w->rollout.phase == ROLL_WATCH)
			w->linger_over = true;
		break;
	case 2:
		w->queued[with % w->lanes] = with & 0x80;
		break;
	case 3:
		if (with & 1)
			w->lane_late = w->lane_late || w->lane_limit;
		else
			w->drain_long = w->drain_long || w->rollout.phase == ROLL_DRAIN;
		break;
	case 4:
		w->spawn_fails = with & 1;
		w->steer_fails = with & 2;
		w->prepare_fails = with & 4;
		w->return_fails = with & 8;
		w->linger = !(with & 16);
		break;
	case 5:
		if (with == 0xff) /* seldom: nothing is interesting after it */
			stop(w, EVENT_DRAIN);
		else if (with == 0xfe)
			stop(w, EVENT_STOP);
		break;
	case 6:
		get_stuck(w, with % w->lanes);
		break;
	default:
		deliver(w, &w->masters[(what / 14 + with / 4) % PLACES], events[with % 4]);
		break;
	}
}

/* What a master does next when all is well. */
static enum master_event good_event(enum master_state state)
{
	switch (state) {
	case MASTER_STARTING:
		return EVENT_READY;
	case MASTER_DRAINING:
		return EVENT_IDLE;
	case MASTER_BACKOFF:
		return EVENT_DEADLINE;
	case MASTER_ABORTING:
	case MASTER_QUITTING:
	case MASTER_TERMINATING:
	case MASTER_KILLING:
		return EVENT_EXIT;
	case MASTER_GONE:
	case MASTER_READY:
	case MASTER_STATE_COUNT:
		break;
	}
	return EVENT_IDLE; /* means nothing to the ready and the gone */
}

static void behave(struct world *w)
{
	w->spawn_fails = w->steer_fails = w->prepare_fails = w->return_fails = false;
	if (w->preflight == ANSWER_PENDING)
		w->preflight = ANSWER_YES;
	if (w->proof == ANSWER_PENDING)
		w->proof = ANSWER_YES;
	if (w->published == ANSWER_PENDING)
		w->published = ANSWER_YES;
	if (w->rollout.phase == ROLL_WATCH)
		w->linger_over = true;
	for (unsigned lane = 0; lane < w->lanes; lane++)
		if (has_master(w, lane))
			w->queued[lane] = false;
	for (size_t i = 0; i < PLACES; i++)
		deliver(w, &w->masters[i], good_event(w->masters[i].state));
	advance(w);
}

static bool settled(const struct world *w)
{
	if (w->rolling || w->rollout.again)
		return false;
	for (size_t i = 0; i < PLACES; i++)
		if (w->masters[i].state != MASTER_GONE && w->masters[i].state != MASTER_READY)
			return false;
	for (unsigned lane = 0; lane < w->lanes; lane++)
		if (w->queued[lane])
			return false;
	return true;
}

/* Once the world behaves every roll ends, the remembered one too. */
static void end_well(struct world *w)
{
	for (int turn = 0; turn < 50 && !settled(w); turn++)
		behave(w);
	assert(w->rollout.phase == ROLL_IDLE && !w->rolling && !w->asked);
	assert(count(w, GROUP_CANDIDATE) == 0 && count(w, GROUP_OLD) == 0);
	if (w->stopping)
		assert(count(w, GROUP_ACTIVE) == 0);
	else
		assert(count_state(w, GROUP_ACTIVE, MASTER_READY) == w->replicas);
	for (unsigned lane = 0; lane < w->lanes; lane++)
		if (w->steered && (lane != w->lane || w->stopping))
			assert(lane_empty(w, lane));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .preflight = ANSWER_NO, .active = 1, .linger = true };

	if (size < 1)
		return 0;
	w.replicas = 1 + data[0] % REPLICAS_MAX;
	w.surge = data[0] / REPLICAS_MAX % (w.replicas + 1);
	w.steered = data[0] < 192;
	w.lanes = 2 + data[0] / 64 % 3;
	fill(&w);
	for (size_t i = 1; i + 1 < size; i += 2) {
		happen(&w, data[i], data[i + 1]);
		/* More than one thing may happen within one turn of the loop. */
		if (!(data[i + 1] & 0x40))
			advance(&w);
	}

	end_well(&w);
	if (w.stopping)
		return 0;
	/* Whatever happened before: the next roll succeeds. */
	request(&w);
	end_well(&w);
	assert(w.outcome == ROLL_DONE);
	return 0;
}
