#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rollout/rollout.h"
#include "util/macros.h"

enum { REPLICAS_MOST = 4 };

/* An app as the rollout sees it, and what its orders did. */
struct scene {
	struct rollout rollout;
	struct roll_view view;
	unsigned most;       /* masters that were there at once */
	unsigned least;      /* active masters that were ready */
	unsigned orders[20]; /* of each kind */
};

static const char *const order_names[] = {
	[ORDER_NONE] = "none",       [ORDER_PREFLIGHT] = "preflight", [ORDER_CLEAR] = "clear",
	[ORDER_ROOM] = "room",       [ORDER_BUILD] = "build",         [ORDER_PROVE] = "prove",
	[ORDER_PUBLISH] = "publish", [ORDER_CUTOVER] = "cutover",     [ORDER_BACK] = "back",
	[ORDER_DRAIN] = "drain",     [ORDER_FILL] = "fill",           [ORDER_ABANDON] = "abandon",
	[ORDER_FINISH] = "finish",
};

static struct scene scene_of(unsigned replicas, unsigned surge)
{
	struct scene s = {
		.view = {
			.replicas = replicas,
			.surge = surge,
			.preflight = ANSWER_YES,
			.lane_empty = ANSWER_YES,
			.proof = ANSWER_YES,
			.published = ANSWER_YES,
		},
		.least = replicas,
	};

	s.view.masters[GROUP_ACTIVE][MASTER_READY] = replicas;
	return s;
}

static unsigned count(const struct scene *s, enum group group)
{
	unsigned n = 0;

	for (unsigned state = 0; state < MASTER_STATE_COUNT; state++)
		n += s->view.masters[group][state];
	return n;
}

static void note(struct scene *s)
{
	unsigned all = count(s, GROUP_ACTIVE) + count(s, GROUP_CANDIDATE) + count(s, GROUP_OLD);
	unsigned ready = s->view.masters[GROUP_ACTIVE][MASTER_READY];

	if (all > s->most)
		s->most = all;
	if (ready < s->least)
		s->least = ready;
}

static void move(struct scene *s, enum group group, enum master_state from, enum master_state to,
                 unsigned n)
{
	assert_true(s->view.masters[group][from] >= n);
	s->view.masters[group][from] -= n;
	if (to != MASTER_GONE)
		s->view.masters[group][to] += n;
	note(s);
}

static void move_all(struct scene *s, enum group group, enum master_state from,
                     enum master_state to)
{
	move(s, group, from, to, s->view.masters[group][from]);
}

static void cut_over(struct scene *s)
{
	unsigned(*masters)[MASTER_STATE_COUNT] = s->view.masters;

	memcpy(masters[GROUP_OLD], masters[GROUP_ACTIVE], sizeof(masters[GROUP_OLD]));
	memcpy(masters[GROUP_ACTIVE], masters[GROUP_CANDIDATE], sizeof(masters[GROUP_ACTIVE]));
	memset(masters[GROUP_CANDIDATE], 0, sizeof(masters[GROUP_CANDIDATE]));
}

static void go_back(struct scene *s)
{
	unsigned(*masters)[MASTER_STATE_COUNT] = s->view.masters;
	unsigned bad[MASTER_STATE_COUNT];

	memcpy(bad, masters[GROUP_ACTIVE], sizeof(bad));
	memcpy(masters[GROUP_ACTIVE], masters[GROUP_OLD], sizeof(bad));
	memcpy(masters[GROUP_OLD], bad, sizeof(bad));
}

static void drain(struct scene *s)
{
	move_all(s, GROUP_OLD, MASTER_READY, MASTER_DRAINING);
	move_all(s, GROUP_OLD, MASTER_STARTING, MASTER_DRAINING);
	move_all(s, GROUP_OLD, MASTER_BACKOFF, MASTER_GONE);
}

/* What the supervisor does with an order. */
static void obey(struct scene *s, struct order order)
{
	unsigned(*masters)[MASTER_STATE_COUNT] = s->view.masters;

	s->orders[order.kind]++;
	switch (order.kind) {
	case ORDER_ROOM:
		move(s, GROUP_ACTIVE, MASTER_READY, MASTER_QUITTING, 1);
		break;
	case ORDER_BUILD:
		masters[GROUP_CANDIDATE][MASTER_STARTING] += order.count;
		break;
	case ORDER_CUTOVER:
		cut_over(s);
		break;
	case ORDER_BACK:
		go_back(s);
		break;
	case ORDER_DRAIN:
		drain(s);
		break;
	case ORDER_FILL:
		masters[GROUP_ACTIVE][MASTER_STARTING] += s->view.replicas - count(s, GROUP_ACTIVE);
		break;
	case ORDER_ABANDON:
		move_all(s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_QUITTING);
		move_all(s, GROUP_CANDIDATE, MASTER_READY, MASTER_QUITTING);
		move_all(s, GROUP_CANDIDATE, MASTER_ABORTING, MASTER_QUITTING);
		move_all(s, GROUP_CANDIDATE, MASTER_BACKOFF, MASTER_GONE);
		break;
	case ORDER_NONE:
	case ORDER_PREFLIGHT:
	case ORDER_CLEAR:
	case ORDER_PROVE:
	case ORDER_PUBLISH:
	case ORDER_FINISH:
		break;
	}
	note(s);
}

/* The next order must be of this kind; it is carried out. */
static struct order expect(struct scene *s, enum order_kind kind)
{
	struct order order = rollout_next(&s->rollout, &s->view);

	if (order.kind != kind)
		fail_msg("in %s: got order %s, not %s", roll_phase_name(s->rollout.phase),
		         order_names[order.kind], order_names[kind]);
	obey(s, order);
	return order;
}

static void expect_patience(struct scene *s)
{
	for (int i = 0; i < 3; i++)
		expect(s, ORDER_NONE);
}

static void expect_end(struct scene *s, enum roll_outcome outcome)
{
	struct order order = expect(s, ORDER_FINISH);

	assert_int_equal(order.outcome, outcome);
	assert_int_equal(s->rollout.phase, ROLL_IDLE);
}

/* A roll of two replicas with both candidates ordered. */
static struct scene in_build(void)
{
	struct scene s = scene_of(2, 2);

	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect(&s, ORDER_CLEAR);
	expect(&s, ORDER_BUILD);
	return s;
}

static struct scene in_drain(void)
{
	struct scene s = in_build();

	move_all(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_READY);
	expect(&s, ORDER_PROVE);
	expect(&s, ORDER_PUBLISH);
	expect(&s, ORDER_CUTOVER);
	expect(&s, ORDER_DRAIN);
	return s;
}

/* The world behaves: everything that can become better does. */
static void behave(struct scene *s)
{
	for (unsigned group = 0; group < GROUP_COUNT; group++) {
		move_all(s, group, MASTER_STARTING, MASTER_READY);
		move_all(s, group, MASTER_DRAINING, MASTER_QUITTING);
		move_all(s, group, MASTER_QUITTING, MASTER_GONE);
		move_all(s, group, MASTER_KILLING, MASTER_GONE);
	}
}

static enum roll_outcome run(struct scene *s)
{
	for (int turn = 0; turn < 100; turn++) {
		struct order order = rollout_next(&s->rollout, &s->view);

		obey(s, order);
		if (order.kind == ORDER_FINISH)
			return order.outcome;
		if (order.kind == ORDER_NONE)
			behave(s);
	}
	fail_msg("the roll hangs in %s", roll_phase_name(s->rollout.phase));
	return ROLL_NONE;
}

/* --- the plain roll --- */

static void test_nothing_happens_unless_asked(void **state)
{
	struct scene s = scene_of(2, 2);

	(void)state;
	expect_patience(&s);
}

static void test_a_roll_as_in_the_picture(void **state)
{
	struct scene s = scene_of(2, 2);

	(void)state;
	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect(&s, ORDER_CLEAR);
	assert_int_equal(expect(&s, ORDER_BUILD).count, 2);
	expect_patience(&s);
	move(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_READY, 1);
	expect_patience(&s);
	move(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_READY, 1);
	expect(&s, ORDER_PROVE);
	expect(&s, ORDER_PUBLISH);
	expect(&s, ORDER_CUTOVER);
	expect(&s, ORDER_DRAIN);
	expect_patience(&s);
	move(&s, GROUP_OLD, MASTER_DRAINING, MASTER_QUITTING, 2);
	expect_patience(&s);
	move(&s, GROUP_OLD, MASTER_QUITTING, MASTER_GONE, 2);
	expect(&s, ORDER_FILL);
	expect_end(&s, ROLL_DONE);
	expect_patience(&s);
}

static void test_every_number_of_replicas_with_every_surge(void **state)
{
	(void)state;

	for (unsigned replicas = 1; replicas <= REPLICAS_MOST; replicas++)
		for (unsigned surge = 0; surge <= replicas; surge++) {
			struct scene s = scene_of(replicas, surge);
			unsigned overlap = surge > 0 ? surge : 1;
			bool room = surge == 0 && replicas > 1;

			rollout_request(&s.rollout);
			assert_int_equal(run(&s), ROLL_DONE);
			assert_int_equal(s.view.masters[GROUP_ACTIVE][MASTER_READY], replicas);
			assert_int_equal(count(&s, GROUP_CANDIDATE) + count(&s, GROUP_OLD), 0);
			assert_int_equal(s.orders[ORDER_ROOM], room);
			assert_int_equal(s.orders[ORDER_CUTOVER], 1);
			assert_int_equal(s.most, room ? replicas : replicas + overlap);
			/* Right after the cutover the candidates alone serve. */
			assert_int_equal(s.least, overlap < replicas ? overlap : replicas);
		}
}

static void test_how_many_candidates(void **state)
{
	static const struct {
		const char *says;
		unsigned replicas, surge, count;
	} rows[] = {
		{ "all at once", 2, 2, 2 },
		{ "all of four", 4, 4, 4 },
		{ "some", 4, 2, 2 },
		{ "one", 4, 1, 1 },
		{ "one in the room made", 4, 0, 1 },
		{ "one, the only one", 1, 0, 1 },
		{ "never more than replicas", 2, 4, 2 },
		{ "never more than replicas, by default", 2, UINT32_MAX, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rollout_build_count(rows[i].replicas, rows[i].surge) != rows[i].count)
			fail_msg("%s: got %u", rows[i].says,
			         rollout_build_count(rows[i].replicas, rows[i].surge));
}

/* --- preflight and lane --- */

static void test_preflight_is_waited_for(void **state)
{
	struct scene s = scene_of(2, 2);

	(void)state;
	s.view.preflight = ANSWER_PENDING;
	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect_patience(&s);
	s.view.preflight = ANSWER_YES;
	expect(&s, ORDER_CLEAR);
}

static void test_a_preflight_that_says_no_touches_nothing(void **state)
{
	struct scene s = scene_of(2, 0);

	(void)state;
	s.view.preflight = ANSWER_NO;
	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect_end(&s, ROLL_REFUSED);
	assert_int_equal(s.view.masters[GROUP_ACTIVE][MASTER_READY], 2);
	assert_int_equal(s.most, 2);
}

static void test_a_lane_that_is_not_empty_is_waited_for(void **state)
{
	struct scene s = scene_of(2, 2);

	(void)state;
	s.view.lane_empty = ANSWER_PENDING;
	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect(&s, ORDER_CLEAR);
	expect_patience(&s);
	s.view.lane_empty = ANSWER_YES;
	expect(&s, ORDER_BUILD);
}

static void test_a_lane_that_stays_occupied_refuses_the_roll(void **state)
{
	struct scene s = scene_of(2, 0);

	(void)state;
	s.view.lane_empty = ANSWER_NO;
	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect(&s, ORDER_CLEAR);
	expect_end(&s, ROLL_REFUSED);
	assert_int_equal(s.orders[ORDER_ROOM], 0);
	assert_int_equal(s.view.masters[GROUP_ACTIVE][MASTER_READY], 2);
}

/* --- surge = 0 --- */

static void test_without_surge_one_leaves_before_one_comes(void **state)
{
	struct scene s = scene_of(3, 0);

	(void)state;
	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect(&s, ORDER_CLEAR);
	expect(&s, ORDER_ROOM);
	expect_patience(&s);
	move(&s, GROUP_ACTIVE, MASTER_QUITTING, MASTER_TERMINATING, 1);
	expect_patience(&s);
	move(&s, GROUP_ACTIVE, MASTER_TERMINATING, MASTER_GONE, 1);
	assert_int_equal(expect(&s, ORDER_BUILD).count, 1);
}

/* Room takes as long as the requests in flight: a late connection may come to the other lane. */
static struct scene in_room_with(enum answer lane_empty)
{
	struct scene s = scene_of(2, 0);

	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect(&s, ORDER_CLEAR);
	expect(&s, ORDER_ROOM);
	s.view.lane_empty = lane_empty;
	expect_patience(&s);
	move(&s, GROUP_ACTIVE, MASTER_QUITTING, MASTER_GONE, 1);
	return s;
}

static void test_a_lane_that_is_used_while_room_is_made_is_waited_for(void **state)
{
	struct scene s = in_room_with(ANSWER_PENDING);

	(void)state;
	expect_patience(&s);
	s.view.lane_empty = ANSWER_YES;
	expect(&s, ORDER_BUILD);
}

static void test_a_lane_that_stays_used_while_room_is_made_ends_the_roll(void **state)
{
	struct scene s = in_room_with(ANSWER_NO);

	(void)state;
	assert_int_equal(run(&s), ROLL_FAILED);
	assert_int_equal(s.orders[ORDER_BUILD], 0);
	assert_int_equal(s.view.masters[GROUP_ACTIVE][MASTER_READY], 2);
}

static void test_the_last_healthy_one_is_never_stopped_first(void **state)
{
	static const enum master_state others[] = { MASTER_BACKOFF, MASTER_STARTING,
		                                    MASTER_ABORTING };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct scene s = scene_of(2, 0);

		move(&s, GROUP_ACTIVE, MASTER_READY, others[i], 1);
		rollout_request(&s.rollout);
		expect(&s, ORDER_PREFLIGHT);
		expect(&s, ORDER_CLEAR);
		expect(&s, ORDER_BUILD);
	}
}

static void test_one_of_two_healthy_ones_may_go(void **state)
{
	struct scene s = scene_of(3, 0);

	(void)state;
	move(&s, GROUP_ACTIVE, MASTER_READY, MASTER_BACKOFF, 1);
	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect(&s, ORDER_CLEAR);
	expect(&s, ORDER_ROOM);
	assert_int_equal(s.view.masters[GROUP_ACTIVE][MASTER_READY], 1);
}

static void test_the_room_is_filled_again_when_the_candidate_fails(void **state)
{
	struct scene s = scene_of(2, 0);

	(void)state;
	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect(&s, ORDER_CLEAR);
	expect(&s, ORDER_ROOM);
	move(&s, GROUP_ACTIVE, MASTER_QUITTING, MASTER_GONE, 1);
	expect(&s, ORDER_BUILD);
	move(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_BACKOFF, 1);
	expect(&s, ORDER_ABANDON);
	expect(&s, ORDER_FILL);
	assert_int_equal(s.view.masters[GROUP_ACTIVE][MASTER_STARTING], 1);
	expect_patience(&s);
	move(&s, GROUP_ACTIVE, MASTER_STARTING, MASTER_READY, 1);
	expect_end(&s, ROLL_FAILED);
}

/* --- candidates that fail --- */

static void test_any_other_state_of_a_candidate_is_a_failure(void **state)
{
	(void)state;

	for (enum master_state bad = MASTER_GONE; bad < MASTER_STATE_COUNT; bad++) {
		struct scene s = in_build();

		if (bad == MASTER_STARTING || bad == MASTER_READY)
			continue;
		move(&s, GROUP_CANDIDATE, MASTER_STARTING, bad, 1);
		expect(&s, ORDER_ABANDON);
	}
}

static void test_a_candidate_that_crashes_after_it_was_ready_is_a_failure(void **state)
{
	struct scene s = in_build();

	(void)state;
	move(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_READY, 1);
	expect_patience(&s);
	move(&s, GROUP_CANDIDATE, MASTER_READY, MASTER_BACKOFF, 1);
	expect(&s, ORDER_ABANDON);
}

static void test_failed_candidates_are_waited_for_and_the_active_ones_untouched(void **state)
{
	struct scene s = in_build();

	(void)state;
	move(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_ABORTING, 1);
	expect(&s, ORDER_ABANDON);
	expect_patience(&s);
	move_all(&s, GROUP_CANDIDATE, MASTER_QUITTING, MASTER_TERMINATING);
	expect_patience(&s);
	move(&s, GROUP_CANDIDATE, MASTER_TERMINATING, MASTER_KILLING, 1);
	move_all(&s, GROUP_CANDIDATE, MASTER_TERMINATING, MASTER_GONE);
	expect_patience(&s);
	move_all(&s, GROUP_CANDIDATE, MASTER_KILLING, MASTER_GONE);
	expect(&s, ORDER_FILL);
	expect_end(&s, ROLL_FAILED);
	assert_int_equal(s.least, 2);
	assert_int_equal(s.orders[ORDER_CUTOVER], 0);
}

static void test_a_failure_does_not_spoil_the_next_roll(void **state)
{
	struct scene s = in_build();

	(void)state;
	move_all(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_GONE);
	expect(&s, ORDER_ABANDON);
	expect(&s, ORDER_FILL);
	expect_end(&s, ROLL_FAILED);
	rollout_request(&s.rollout);
	assert_int_equal(run(&s), ROLL_DONE);
}

/* --- the proof --- */

static struct scene in_proof(void)
{
	struct scene s = in_build();

	move_all(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_READY);
	s.view.proof = ANSWER_PENDING;
	expect(&s, ORDER_PROVE);
	expect_patience(&s);
	return s;
}

static void test_candidates_get_no_visitor_before_they_are_proven(void **state)
{
	struct scene s = in_proof();

	(void)state;
	s.view.proof = ANSWER_YES;
	expect(&s, ORDER_PUBLISH);
}

static void test_candidates_that_are_disproved_are_abandoned(void **state)
{
	struct scene s = in_proof();

	(void)state;
	s.view.proof = ANSWER_NO;
	expect(&s, ORDER_ABANDON);
	move_all(&s, GROUP_CANDIDATE, MASTER_QUITTING, MASTER_GONE);
	expect(&s, ORDER_FILL);
	expect_end(&s, ROLL_FAILED);
	assert_int_equal(s.orders[ORDER_CUTOVER], 0);
	assert_int_equal(s.least, 2);
}

static void test_a_candidate_that_dies_meanwhile_ends_the_proof(void **state)
{
	struct scene s = in_proof();

	(void)state;
	move(&s, GROUP_CANDIDATE, MASTER_READY, MASTER_BACKOFF, 1);
	s.view.proof = ANSWER_YES;
	expect(&s, ORDER_ABANDON);
}

/* --- static files --- */

static struct scene in_publish(void)
{
	struct scene s = in_build();

	move_all(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_READY);
	expect(&s, ORDER_PROVE);
	s.view.published = ANSWER_PENDING;
	expect(&s, ORDER_PUBLISH);
	expect_patience(&s);
	return s;
}

static void test_candidates_get_no_visitor_before_their_files_are_there(void **state)
{
	struct scene s = in_publish();

	(void)state;
	s.view.published = ANSWER_YES;
	expect(&s, ORDER_CUTOVER);
}

static void test_candidates_whose_files_cannot_be_published_are_abandoned(void **state)
{
	struct scene s = in_publish();

	(void)state;
	s.view.published = ANSWER_NO;
	expect(&s, ORDER_ABANDON);
	move_all(&s, GROUP_CANDIDATE, MASTER_QUITTING, MASTER_GONE);
	expect(&s, ORDER_FILL);
	expect_end(&s, ROLL_FAILED);
	assert_int_equal(s.orders[ORDER_CUTOVER], 0);
}

static void test_a_candidate_that_dies_while_they_are_published_gets_no_visitor(void **state)
{
	struct scene s = in_publish();

	(void)state;
	move(&s, GROUP_CANDIDATE, MASTER_READY, MASTER_BACKOFF, 1);
	s.view.published = ANSWER_YES;
	expect(&s, ORDER_ABANDON);
}

/* --- the way back --- */

static struct scene in_watch(void)
{
	struct scene s = in_build();

	s.view.lingers = true;
	move_all(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_READY);
	expect(&s, ORDER_PROVE);
	expect(&s, ORDER_PUBLISH);
	expect(&s, ORDER_CUTOVER);
	expect_patience(&s);
	assert_int_equal(s.view.masters[GROUP_OLD][MASTER_READY], 2);
	return s;
}

static void test_a_release_that_stays_well_ends_the_watch_with_its_time(void **state)
{
	struct scene s = in_watch();

	(void)state;
	s.view.lingers = false;
	expect(&s, ORDER_DRAIN);
	move_all(&s, GROUP_OLD, MASTER_DRAINING, MASTER_GONE);
	expect(&s, ORDER_FILL);
	expect_end(&s, ROLL_DONE);
	assert_int_equal(s.orders[ORDER_BACK], 0);
}

/* From the way back on: the ones that were new drain like any old ones. */
static void expect_return(struct scene *s)
{
	expect(s, ORDER_BACK);
	s->view.lingers = s->view.condemned = false;
	assert_int_equal(s->view.masters[GROUP_ACTIVE][MASTER_READY], 2);
	expect(s, ORDER_DRAIN);
	expect_patience(s);
	move_all(s, GROUP_OLD, MASTER_DRAINING, MASTER_GONE);
	expect(s, ORDER_FILL);
	expect_end(s, ROLL_TAKEN_BACK);
}

static void test_a_release_that_is_condemned_is_taken_back(void **state)
{
	struct scene s = in_watch();

	(void)state;
	s.view.condemned = true;
	expect_return(&s);
	rollout_request(&s.rollout);
	assert_int_equal(run(&s), ROLL_DONE);
}

static void test_a_release_whose_master_dies_is_taken_back(void **state)
{
	struct scene s = in_watch();

	(void)state;
	move(&s, GROUP_ACTIVE, MASTER_READY, MASTER_BACKOFF, 1);
	expect_return(&s);
}

static void test_one_ready_master_is_a_way_back(void **state)
{
	struct scene s = in_watch();

	(void)state;
	move(&s, GROUP_OLD, MASTER_READY, MASTER_BACKOFF, 1);
	s.view.condemned = true;
	expect(&s, ORDER_BACK);
	expect(&s, ORDER_DRAIN);
}

static void test_there_is_no_way_back_to_nobody(void **state)
{
	struct scene s = in_watch();

	(void)state;
	s.view.condemned = true;
	move(&s, GROUP_OLD, MASTER_READY, MASTER_STARTING, 2);
	expect_patience(&s);
	move(&s, GROUP_OLD, MASTER_STARTING, MASTER_READY, 1);
	expect(&s, ORDER_BACK);
}

static void test_who_has_no_way_back_goes_on_when_the_time_is_over(void **state)
{
	struct scene s = in_watch();

	(void)state;
	s.view.condemned = true;
	move(&s, GROUP_OLD, MASTER_READY, MASTER_STARTING, 2);
	expect_patience(&s);
	s.view.lingers = false;
	expect(&s, ORDER_DRAIN);
}

static void test_a_way_back_that_fails_is_not_tried_again(void **state)
{
	struct scene s = in_watch();

	(void)state;
	s.view.condemned = true;
	assert_int_equal(rollout_next(&s.rollout, &s.view).kind, ORDER_BACK);
	rollout_return_failed(&s.rollout);
	expect_patience(&s);
	s.view.lingers = false;
	expect(&s, ORDER_DRAIN);
	move_all(&s, GROUP_OLD, MASTER_DRAINING, MASTER_GONE);
	expect(&s, ORDER_FILL);
	expect_end(&s, ROLL_DONE);
}

static void test_whoever_asks_for_the_next_roll_ends_the_watch(void **state)
{
	struct scene s = in_watch();

	(void)state;
	rollout_request(&s.rollout);
	expect(&s, ORDER_DRAIN);
}

static void test_a_crash_without_a_watch_is_no_way_back(void **state)
{
	struct scene s = in_publish();

	(void)state;
	s.view.published = ANSWER_YES;
	expect(&s, ORDER_CUTOVER);
	move(&s, GROUP_ACTIVE, MASTER_READY, MASTER_BACKOFF, 1);
	expect(&s, ORDER_DRAIN);
}

/* --- the cutover --- */

static void test_a_cutover_that_fails_abandons_the_candidates(void **state)
{
	struct scene s = in_build();

	(void)state;
	move_all(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_READY);
	expect(&s, ORDER_PROVE);
	expect(&s, ORDER_PUBLISH);
	assert_int_equal(rollout_next(&s.rollout, &s.view).kind, ORDER_CUTOVER);
	rollout_cutover_failed(&s.rollout);
	expect(&s, ORDER_ABANDON);
	expect_patience(&s);
	move_all(&s, GROUP_CANDIDATE, MASTER_QUITTING, MASTER_GONE);
	expect(&s, ORDER_FILL);
	expect_end(&s, ROLL_FAILED);
	assert_int_equal(s.least, 2);

	rollout_request(&s.rollout);
	assert_int_equal(run(&s), ROLL_DONE);
}

/* A lane that cannot be prepared: the order to build is answered in the same way. */
static void test_a_build_that_cannot_begin_fails(void **state)
{
	struct scene s = scene_of(2, 2);

	(void)state;
	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect(&s, ORDER_CLEAR);
	assert_int_equal(rollout_next(&s.rollout, &s.view).kind, ORDER_BUILD);
	rollout_cutover_failed(&s.rollout);
	expect(&s, ORDER_ABANDON);
	expect(&s, ORDER_FILL);
	expect_end(&s, ROLL_FAILED);
}

/* --- drain and fill --- */

static void test_the_drain_lasts_until_the_last_old_master_is_gone(void **state)
{
	(void)state;

	for (enum master_state left = MASTER_GONE + 1; left < MASTER_STATE_COUNT; left++) {
		struct scene s = in_drain();

		move(&s, GROUP_OLD, MASTER_DRAINING, MASTER_GONE, 1);
		move(&s, GROUP_OLD, MASTER_DRAINING, left, 1);
		expect_patience(&s);
		move(&s, GROUP_OLD, left, MASTER_GONE, 1);
		expect(&s, ORDER_FILL);
	}
}

static void test_a_long_drain_does_not_keep_the_next_roll_waiting(void **state)
{
	struct scene s = in_drain();

	(void)state;
	rollout_request(&s.rollout);
	expect_patience(&s);
	s.view.drain_long = true;
	expect(&s, ORDER_FILL);
	expect_end(&s, ROLL_DONE);
	s.view.drain_long = false;
	expect(&s, ORDER_PREFLIGHT);
	expect(&s, ORDER_CLEAR);
	expect(&s, ORDER_BUILD);
	move_all(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_READY);
	/* The old ones of both are waited for. */
	assert_int_equal(count(&s, GROUP_OLD), 2);
	expect(&s, ORDER_PROVE);
	expect(&s, ORDER_PUBLISH);
	assert_int_equal(rollout_next(&s.rollout, &s.view).kind, ORDER_CUTOVER);
	assert_int_equal(rollout_next(&s.rollout, &s.view).kind, ORDER_DRAIN);
	expect_patience(&s);
	move_all(&s, GROUP_OLD, MASTER_DRAINING, MASTER_GONE);
	expect(&s, ORDER_FILL);
	expect_end(&s, ROLL_DONE);
}

static void test_a_long_drain_is_waited_for_when_nobody_waits(void **state)
{
	struct scene s = in_drain();

	(void)state;
	s.view.drain_long = true;
	expect_patience(&s);
}

static void test_a_long_drain_is_waited_for_when_replicas_are_to_come(void **state)
{
	struct scene s = scene_of(2, 1);

	(void)state;
	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect(&s, ORDER_CLEAR);
	expect(&s, ORDER_BUILD);
	move_all(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_READY);
	expect(&s, ORDER_PROVE);
	expect(&s, ORDER_PUBLISH);
	expect(&s, ORDER_CUTOVER);
	expect(&s, ORDER_DRAIN);
	rollout_request(&s.rollout);
	s.view.drain_long = true;
	expect_patience(&s);
}

static void test_what_the_surge_left_out_is_started_and_waited_for(void **state)
{
	struct scene s = scene_of(3, 1);

	(void)state;
	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	expect(&s, ORDER_CLEAR);
	assert_int_equal(expect(&s, ORDER_BUILD).count, 1);
	move_all(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_READY);
	expect(&s, ORDER_PROVE);
	expect(&s, ORDER_PUBLISH);
	expect(&s, ORDER_CUTOVER);
	expect(&s, ORDER_DRAIN);
	move_all(&s, GROUP_OLD, MASTER_DRAINING, MASTER_GONE);
	expect(&s, ORDER_FILL);
	assert_int_equal(s.view.masters[GROUP_ACTIVE][MASTER_STARTING], 2);
	expect_patience(&s);
	move(&s, GROUP_ACTIVE, MASTER_STARTING, MASTER_READY, 1);
	expect_patience(&s);
	move(&s, GROUP_ACTIVE, MASTER_STARTING, MASTER_READY, 1);
	expect_end(&s, ROLL_DONE);
}

/* The release is active by then; a replica that crashes is restarted like any other. */
static void test_a_crash_after_the_cutover_does_not_hold_the_end_up(void **state)
{
	struct scene s = in_drain();

	(void)state;
	move(&s, GROUP_ACTIVE, MASTER_READY, MASTER_BACKOFF, 1);
	move_all(&s, GROUP_OLD, MASTER_DRAINING, MASTER_GONE);
	expect(&s, ORDER_FILL);
	expect_end(&s, ROLL_DONE);
}

static void test_a_crash_of_an_active_one_does_not_stop_the_build(void **state)
{
	struct scene s = in_build();

	(void)state;
	move(&s, GROUP_ACTIVE, MASTER_READY, MASTER_BACKOFF, 2);
	expect_patience(&s);
	move_all(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_READY);
	expect(&s, ORDER_PROVE);
	expect(&s, ORDER_PUBLISH);
	expect(&s, ORDER_CUTOVER);
	expect(&s, ORDER_DRAIN);
}

/* --- asked for more than once --- */

/* A roll that was asked for @times more while it is in @phase. */
static struct scene asked_in(enum roll_phase phase, bool works, unsigned times)
{
	struct scene s = scene_of(3, phase == ROLL_RETURN ? 3 : 0);

	s.view.lingers = s.view.condemned = phase == ROLL_RETURN;
	rollout_request(&s.rollout);
	for (int turn = 0; turn < 100 && s.rollout.phase != phase; turn++) {
		struct order order = rollout_next(&s.rollout, &s.view);

		obey(&s, order);
		if (!works)
			move_all(&s, GROUP_CANDIDATE, MASTER_STARTING, MASTER_BACKOFF);
		if (order.kind == ORDER_NONE)
			behave(&s);
	}
	if (s.rollout.phase != phase)
		fail_msg("never in %s", roll_phase_name(phase));
	s.view.lingers = s.view.condemned = false;
	while (times-- > 0)
		rollout_request(&s.rollout);
	return s;
}

static void test_a_request_during_a_roll_is_run_once_afterwards(void **state)
{
	(void)state;

	for (enum roll_phase phase = ROLL_PREFLIGHT; phase < ROLL_PHASE_COUNT; phase++)
		for (unsigned times = 1; times <= 1000; times += 999) {
			bool works = phase != ROLL_ABANDON;
			struct scene s = asked_in(phase, works, times);

			assert_int_equal(run(&s), phase == ROLL_RETURN ? ROLL_TAKEN_BACK
			                          : works              ? ROLL_DONE
			                                               : ROLL_FAILED);
			assert_int_equal(run(&s), ROLL_DONE);
			assert_int_equal(s.orders[ORDER_PREFLIGHT], 2);
			expect_patience(&s);
		}
}

static void test_a_request_during_a_roll_that_is_refused_is_run_too(void **state)
{
	struct scene s = scene_of(2, 2);

	(void)state;
	s.view.preflight = ANSWER_PENDING;
	rollout_request(&s.rollout);
	expect(&s, ORDER_PREFLIGHT);
	rollout_request(&s.rollout);
	s.view.preflight = ANSWER_NO;
	expect_end(&s, ROLL_REFUSED);
	s.view.preflight = ANSWER_YES;
	assert_int_equal(run(&s), ROLL_DONE);
	expect_patience(&s);
}

static void test_two_requests_before_it_begins_are_one_roll(void **state)
{
	struct scene s = scene_of(2, 2);

	(void)state;
	rollout_request(&s.rollout);
	rollout_request(&s.rollout);
	assert_int_equal(run(&s), ROLL_DONE);
	expect_patience(&s);
	assert_int_equal(s.orders[ORDER_FINISH], 1);
}

static void test_cancelled_it_gives_no_further_order(void **state)
{
	(void)state;

	for (enum roll_phase phase = ROLL_PREFLIGHT; phase < ROLL_PHASE_COUNT; phase++) {
		struct scene s = asked_in(phase, phase != ROLL_ABANDON, 1);

		rollout_cancel(&s.rollout);
		assert_int_equal(s.rollout.phase, ROLL_IDLE);
		expect_patience(&s);
	}
}

/* --- words --- */

static void test_words(void **state)
{
	static const char *const phases[] = { "idle",   "preflight", "lane",    "room",
		                              "build",  "prove",     "publish", "watch",
		                              "return", "drain",     "fill",    "abandon" };
	static const char *const outcomes[] = { "none", "done", "refused", "failed", "taken-back" };

	(void)state;
	for (enum roll_phase phase = 0; phase < ROLL_PHASE_COUNT; phase++)
		assert_string_equal(roll_phase_name(phase), phases[phase]);
	for (enum roll_outcome outcome = 0; outcome < ARRAY_SIZE(outcomes); outcome++)
		assert_string_equal(roll_outcome_name(outcome), outcomes[outcome]);
}

static void test_a_phase_that_is_none_gives_no_order(void **state)
{
	struct scene s = scene_of(2, 2);

	(void)state;
	s.rollout.phase = ROLL_PHASE_COUNT;
	expect_patience(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_happens_unless_asked),
		cmocka_unit_test(test_a_roll_as_in_the_picture),
		cmocka_unit_test(test_every_number_of_replicas_with_every_surge),
		cmocka_unit_test(test_how_many_candidates),
		cmocka_unit_test(test_preflight_is_waited_for),
		cmocka_unit_test(test_a_preflight_that_says_no_touches_nothing),
		cmocka_unit_test(test_a_lane_that_is_not_empty_is_waited_for),
		cmocka_unit_test(test_a_lane_that_stays_occupied_refuses_the_roll),
		cmocka_unit_test(test_without_surge_one_leaves_before_one_comes),
		cmocka_unit_test(test_a_lane_that_is_used_while_room_is_made_is_waited_for),
		cmocka_unit_test(test_a_lane_that_stays_used_while_room_is_made_ends_the_roll),
		cmocka_unit_test(test_the_last_healthy_one_is_never_stopped_first),
		cmocka_unit_test(test_one_of_two_healthy_ones_may_go),
		cmocka_unit_test(test_the_room_is_filled_again_when_the_candidate_fails),
		cmocka_unit_test(test_any_other_state_of_a_candidate_is_a_failure),
		cmocka_unit_test(test_a_candidate_that_crashes_after_it_was_ready_is_a_failure),
		cmocka_unit_test(
			test_failed_candidates_are_waited_for_and_the_active_ones_untouched),
		cmocka_unit_test(test_a_failure_does_not_spoil_the_next_roll),
		cmocka_unit_test(test_candidates_get_no_visitor_before_they_are_proven),
		cmocka_unit_test(test_candidates_that_are_disproved_are_abandoned),
		cmocka_unit_test(test_a_candidate_that_dies_meanwhile_ends_the_proof),
		cmocka_unit_test(test_candidates_get_no_visitor_before_their_files_are_there),
		cmocka_unit_test(test_candidates_whose_files_cannot_be_published_are_abandoned),
		cmocka_unit_test(
			test_a_candidate_that_dies_while_they_are_published_gets_no_visitor),
		cmocka_unit_test(test_a_release_that_stays_well_ends_the_watch_with_its_time),
		cmocka_unit_test(test_a_release_that_is_condemned_is_taken_back),
		cmocka_unit_test(test_a_release_whose_master_dies_is_taken_back),
		cmocka_unit_test(test_one_ready_master_is_a_way_back),
		cmocka_unit_test(test_there_is_no_way_back_to_nobody),
		cmocka_unit_test(test_who_has_no_way_back_goes_on_when_the_time_is_over),
		cmocka_unit_test(test_a_way_back_that_fails_is_not_tried_again),
		cmocka_unit_test(test_whoever_asks_for_the_next_roll_ends_the_watch),
		cmocka_unit_test(test_a_crash_without_a_watch_is_no_way_back),
		cmocka_unit_test(test_a_cutover_that_fails_abandons_the_candidates),
		cmocka_unit_test(test_a_build_that_cannot_begin_fails),
		cmocka_unit_test(test_the_drain_lasts_until_the_last_old_master_is_gone),
		cmocka_unit_test(test_a_long_drain_does_not_keep_the_next_roll_waiting),
		cmocka_unit_test(test_a_long_drain_is_waited_for_when_nobody_waits),
		cmocka_unit_test(test_a_long_drain_is_waited_for_when_replicas_are_to_come),
		cmocka_unit_test(test_what_the_surge_left_out_is_started_and_waited_for),
		cmocka_unit_test(test_a_crash_after_the_cutover_does_not_hold_the_end_up),
		cmocka_unit_test(test_a_crash_of_an_active_one_does_not_stop_the_build),
		cmocka_unit_test(test_a_request_during_a_roll_is_run_once_afterwards),
		cmocka_unit_test(test_a_request_during_a_roll_that_is_refused_is_run_too),
		cmocka_unit_test(test_two_requests_before_it_begins_are_one_roll),
		cmocka_unit_test(test_cancelled_it_gives_no_further_order),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_a_phase_that_is_none_gives_no_order),
	};

	return cmocka_run_group_tests_name("rollout/rollout", tests, NULL, NULL);
}
