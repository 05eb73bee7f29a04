#include "rollout/lifecycle.h"

#include <assert.h>

#include "util/macros.h"

/* clang-format off */
static const struct transition transitions[MASTER_STATE_COUNT][MASTER_EVENT_COUNT] = {
	[MASTER_GONE] = {
		[EVENT_START]    = { MASTER_STARTING,    ACTION_SPAWN  },
	},
	[MASTER_STARTING] = {
		[EVENT_READY]    = { MASTER_READY,       ACTION_SETTLE },
		[EVENT_DRAIN]    = { MASTER_DRAINING,    ACTION_WATCH  },
		[EVENT_STOP]     = { MASTER_QUITTING,    ACTION_QUIT   },
		[EVENT_EXIT]     = { MASTER_BACKOFF,     ACTION_DELAY  },
		[EVENT_DEADLINE] = { MASTER_ABORTING,    ACTION_ABORT  },
	},
	[MASTER_ABORTING] = {
		[EVENT_DRAIN]    = { MASTER_QUITTING,    ACTION_QUIT   },
		[EVENT_STOP]     = { MASTER_QUITTING,    ACTION_QUIT   },
		[EVENT_DEADLINE] = { MASTER_ABORTING,    ACTION_ABORT  },
		[EVENT_EXIT]     = { MASTER_BACKOFF,     ACTION_DELAY  },
	},
	[MASTER_READY] = {
		[EVENT_DRAIN]    = { MASTER_DRAINING,    ACTION_WATCH  },
		[EVENT_STOP]     = { MASTER_QUITTING,    ACTION_QUIT   },
		[EVENT_EXIT]     = { MASTER_BACKOFF,     ACTION_DELAY  },
	},
	[MASTER_DRAINING] = {
		[EVENT_IDLE]     = { MASTER_QUITTING,    ACTION_QUIT   },
		[EVENT_STOP]     = { MASTER_QUITTING,    ACTION_QUIT   },
		[EVENT_DEADLINE] = { MASTER_QUITTING,    ACTION_QUIT   },
		[EVENT_EXIT]     = { MASTER_GONE,        ACTION_SETTLE },
	},
	[MASTER_QUITTING] = {
		[EVENT_DEADLINE] = { MASTER_TERMINATING, ACTION_TERM   },
		[EVENT_EXIT]     = { MASTER_GONE,        ACTION_SETTLE },
	},
	[MASTER_TERMINATING] = {
		[EVENT_DEADLINE] = { MASTER_KILLING,     ACTION_KILL   },
		[EVENT_EXIT]     = { MASTER_GONE,        ACTION_SETTLE },
	},
	[MASTER_KILLING] = {
		[EVENT_EXIT]     = { MASTER_GONE,        ACTION_SETTLE },
	},
	[MASTER_BACKOFF] = {
		[EVENT_DRAIN]    = { MASTER_GONE,        ACTION_SETTLE },
		[EVENT_STOP]     = { MASTER_GONE,        ACTION_SETTLE },
		[EVENT_DEADLINE] = { MASTER_STARTING,    ACTION_SPAWN  },
	},
};
/* clang-format on */

struct transition lifecycle_next(enum master_state state, enum master_event event)
{
	assert(state < MASTER_STATE_COUNT);
	assert(event < MASTER_EVENT_COUNT);

	struct transition t = transitions[state][event];
	if (t.action == ACTION_NONE)
		t.next = state;
	return t;
}

const char *master_state_name(enum master_state state)
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
	_Static_assert(ARRAY_SIZE(names) == MASTER_STATE_COUNT, "a state has no name");

	assert(state < MASTER_STATE_COUNT);
	return names[state];
}
