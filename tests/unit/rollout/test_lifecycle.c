#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rollout/lifecycle.h"
#include "util/macros.h"

/* clang-format off */
static const struct row {
	const char *says;
	enum master_state from;
	enum master_event event;
	enum master_state to;
	enum master_action action;
} rows[] = {
	{ "start spawns",                        MASTER_GONE,        EVENT_START,    MASTER_STARTING,    ACTION_SPAWN  },

	{ "an answer makes it ready",            MASTER_STARTING,    EVENT_READY,    MASTER_READY,       ACTION_SETTLE },
	{ "one that starts can drain",           MASTER_STARTING,    EVENT_DRAIN,    MASTER_DRAINING,    ACTION_WATCH  },
	{ "one that starts can be stopped",      MASTER_STARTING,    EVENT_STOP,     MASTER_QUITTING,    ACTION_QUIT   },
	{ "one that dies at once comes back",    MASTER_STARTING,    EVENT_EXIT,     MASTER_BACKOFF,     ACTION_DELAY  },
	{ "a slow start is ended",               MASTER_STARTING,    EVENT_DEADLINE, MASTER_ABORTING,    ACTION_ABORT  },

	{ "... and tried again",                 MASTER_ABORTING,    EVENT_EXIT,     MASTER_BACKOFF,     ACTION_DELAY  },
	{ "... by force if need be",             MASTER_ABORTING,    EVENT_DEADLINE, MASTER_ABORTING,    ACTION_ABORT  },
	{ "... unless it shall drain",           MASTER_ABORTING,    EVENT_DRAIN,    MASTER_QUITTING,    ACTION_QUIT   },
	{ "... or stop",                         MASTER_ABORTING,    EVENT_STOP,     MASTER_QUITTING,    ACTION_QUIT   },

	{ "drain watches and sends no signal",   MASTER_READY,       EVENT_DRAIN,    MASTER_DRAINING,    ACTION_WATCH  },
	{ "stop sends SIGQUIT",                  MASTER_READY,       EVENT_STOP,     MASTER_QUITTING,    ACTION_QUIT   },
	{ "a crash waits before it is retried",  MASTER_READY,       EVENT_EXIT,     MASTER_BACKOFF,     ACTION_DELAY  },

	{ "an idle one gets SIGQUIT",            MASTER_DRAINING,    EVENT_IDLE,     MASTER_QUITTING,    ACTION_QUIT   },
	{ "stop ends the drain",                 MASTER_DRAINING,    EVENT_STOP,     MASTER_QUITTING,    ACTION_QUIT   },
	{ "a drain does not last for ever",      MASTER_DRAINING,    EVENT_DEADLINE, MASTER_QUITTING,    ACTION_QUIT   },
	{ "a crash while it drains is the end",  MASTER_DRAINING,    EVENT_EXIT,     MASTER_GONE,        ACTION_SETTLE },

	{ "who ignores SIGQUIT gets SIGTERM",    MASTER_QUITTING,    EVENT_DEADLINE, MASTER_TERMINATING, ACTION_TERM   },
	{ "who obeys SIGQUIT is gone",           MASTER_QUITTING,    EVENT_EXIT,     MASTER_GONE,        ACTION_SETTLE },
	{ "who ignores SIGTERM gets SIGKILL",    MASTER_TERMINATING, EVENT_DEADLINE, MASTER_KILLING,     ACTION_KILL   },
	{ "who obeys SIGTERM is gone",           MASTER_TERMINATING, EVENT_EXIT,     MASTER_GONE,        ACTION_SETTLE },
	{ "nobody ignores SIGKILL",              MASTER_KILLING,     EVENT_EXIT,     MASTER_GONE,        ACTION_SETTLE },

	{ "drain cancels the retry",             MASTER_BACKOFF,     EVENT_DRAIN,    MASTER_GONE,        ACTION_SETTLE },
	{ "stop cancels the retry",              MASTER_BACKOFF,     EVENT_STOP,     MASTER_GONE,        ACTION_SETTLE },
	{ "a retry starts it again",             MASTER_BACKOFF,     EVENT_DEADLINE, MASTER_STARTING,    ACTION_SPAWN  },
};

static const char *const event_names[] = {
	[EVENT_START] = "start", [EVENT_READY] = "ready", [EVENT_DRAIN] = "drain",
	[EVENT_IDLE] = "idle",   [EVENT_STOP] = "stop",   [EVENT_EXIT] = "exit",
	[EVENT_DEADLINE] = "deadline",
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(event_names) == MASTER_EVENT_COUNT, "an event has no name");

static const struct row *find_row(enum master_state from, enum master_event event)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].from == from && rows[i].event == event)
			return &rows[i];
	return NULL;
}

static void test_each_row(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct transition t = lifecycle_next(rows[i].from, rows[i].event);

		if (t.next != rows[i].to || t.action != rows[i].action)
			fail_msg("%s: got %s, action %u", rows[i].says, master_state_name(t.next),
			         t.action);
	}
}

static void test_what_is_no_row_means_nothing(void **state)
{
	(void)state;

	for (enum master_state from = 0; from < MASTER_STATE_COUNT; from++)
		for (enum master_event event = 0; event < MASTER_EVENT_COUNT; event++) {
			struct transition t = lifecycle_next(from, event);

			if (find_row(from, event))
				continue;
			if (t.next != from || t.action != ACTION_NONE)
				fail_msg("%s in %s: got %s, action %u", event_names[event],
				         master_state_name(from), master_state_name(t.next),
				         t.action);
		}
}

/* Which states have a deadline armed, by the actions that lead there. */
static bool arms_a_deadline(enum master_action action)
{
	switch (action) {
	case ACTION_SPAWN:
	case ACTION_WATCH:
	case ACTION_QUIT:
	case ACTION_TERM:
	case ACTION_ABORT:
	case ACTION_DELAY:
		return true;
	case ACTION_NONE:
	case ACTION_SETTLE:
	case ACTION_KILL:
	case MASTER_ACTION_COUNT:
		break;
	}
	return false;
}

static void test_each_state_that_waits_for_fpm_has_a_deadline(void **state)
{
	(void)state;

	for (enum master_state from = 0; from < MASTER_STATE_COUNT; from++)
		for (enum master_event event = 0; event < MASTER_EVENT_COUNT; event++) {
			struct transition t = lifecycle_next(from, event);
			struct transition late = lifecycle_next(t.next, EVENT_DEADLINE);

			if (t.action == ACTION_NONE)
				continue;
			if (arms_a_deadline(t.action) != (late.action != ACTION_NONE))
				fail_msg("%s in %s leads to %s, whose deadline is%s armed",
				         event_names[event], master_state_name(from),
				         master_state_name(t.next),
				         arms_a_deadline(t.action) ? "" : " not");
		}
}

/* Whatever happens to it from now on that is no start: it never comes back. */
static void never_runs_again(enum master_state at, unsigned depth)
{
	assert_int_not_equal(at, MASTER_STARTING);
	assert_int_not_equal(at, MASTER_READY);
	assert_int_not_equal(at, MASTER_BACKOFF);
	if (depth == 0)
		return;
	for (enum master_event event = EVENT_START + 1; event < MASTER_EVENT_COUNT; event++)
		never_runs_again(lifecycle_next(at, event).next, depth - 1);
}

static void test_stopped_or_drained_it_never_comes_back(void **state)
{
	static const enum master_event ends[] = { EVENT_STOP, EVENT_DRAIN };

	(void)state;
	for (enum master_state from = 0; from < MASTER_STATE_COUNT; from++)
		for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
			never_runs_again(lifecycle_next(from, ends[i]).next, 6);
}

/* FPM does nothing by itself: the deadlines alone lead to SIGKILL, and its exit to the end. */
static void test_stop_always_ends(void **state)
{
	(void)state;

	for (enum master_state from = 0; from < MASTER_STATE_COUNT; from++) {
		enum master_state at = lifecycle_next(from, EVENT_STOP).next;

		for (int deadline = 0; deadline < 2; deadline++)
			at = lifecycle_next(at, EVENT_DEADLINE).next;
		if (at != MASTER_GONE)
			assert_int_equal(at, MASTER_KILLING);
		assert_int_equal(lifecycle_next(at, EVENT_EXIT).next, MASTER_GONE);
	}
}

static void test_drain_always_ends(void **state)
{
	(void)state;

	for (enum master_state from = 0; from < MASTER_STATE_COUNT; from++) {
		enum master_state at = lifecycle_next(from, EVENT_DRAIN).next;

		for (int deadline = 0; deadline < 3; deadline++)
			at = lifecycle_next(at, EVENT_DEADLINE).next;
		if (at != MASTER_GONE)
			assert_int_equal(at, MASTER_KILLING);
		assert_int_equal(lifecycle_next(at, EVENT_EXIT).next, MASTER_GONE);
	}
}

/* Whether it exits before, between or after the signals. */
static void test_an_exit_ends_what_was_stopped_at_any_point(void **state)
{
	(void)state;

	for (unsigned deadlines = 0; deadlines < 3; deadlines++) {
		enum master_state at = lifecycle_next(MASTER_READY, EVENT_STOP).next;

		for (unsigned i = 0; i < deadlines; i++)
			at = lifecycle_next(at, EVENT_DEADLINE).next;
		assert_int_equal(lifecycle_next(at, EVENT_EXIT).next, MASTER_GONE);
	}
}

static void test_every_state_is_reached(void **state)
{
	bool reached[MASTER_STATE_COUNT] = { [MASTER_GONE] = true };

	(void)state;
	for (unsigned round = 0; round < MASTER_STATE_COUNT; round++)
		for (enum master_state from = 0; from < MASTER_STATE_COUNT; from++)
			for (enum master_event e = 0; reached[from] && e < MASTER_EVENT_COUNT; e++)
				reached[lifecycle_next(from, e).next] = true;
	for (enum master_state at = 0; at < MASTER_STATE_COUNT; at++)
		if (!reached[at])
			fail_msg("nothing leads to %s", master_state_name(at));
}

static void test_states_have_the_names_that_operators_read(void **state)
{
	static const char *const names[] = {
		[MASTER_GONE] = "gone",
		[MASTER_STARTING] = "starting",
		[MASTER_ABORTING] = "aborting",
		[MASTER_READY] = "ready",
		[MASTER_DRAINING] = "draining",
		[MASTER_QUITTING] = "quitting",
		[MASTER_TERMINATING] = "terminating",
		[MASTER_KILLING] = "killing",
		[MASTER_BACKOFF] = "backoff",
	};

	(void)state;
	for (enum master_state at = 0; at < MASTER_STATE_COUNT; at++)
		assert_string_equal(master_state_name(at), names[at]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_row),
		cmocka_unit_test(test_what_is_no_row_means_nothing),
		cmocka_unit_test(test_each_state_that_waits_for_fpm_has_a_deadline),
		cmocka_unit_test(test_stopped_or_drained_it_never_comes_back),
		cmocka_unit_test(test_stop_always_ends),
		cmocka_unit_test(test_drain_always_ends),
		cmocka_unit_test(test_an_exit_ends_what_was_stopped_at_any_point),
		cmocka_unit_test(test_every_state_is_reached),
		cmocka_unit_test(test_states_have_the_names_that_operators_read),
	};

	return cmocka_run_group_tests_name("rollout/lifecycle", tests, NULL, NULL);
}
