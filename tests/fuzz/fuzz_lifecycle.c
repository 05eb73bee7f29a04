/*
 * Any events for one master: the promises of rollout/lifecycle.h hold whatever comes, and a stop
 * ends it within as many deadlines as there are ways to be rude.  Its crashes are counted as
 * init/master.c does.
 */
#include "fuzz.h"

#include "rollout/backoff.h"
#include "rollout/lifecycle.h"

enum { RUDENESS = 4 /* idle or late, SIGQUIT, SIGTERM, SIGKILL */ };

struct master {
	enum master_state state;
	bool process; /* there is one */
	bool armed;   /* a deadline is */
	bool killed;  /* SIGKILL was sent to this process */
	unsigned crashes;
};

static bool has_process(enum master_state state)
{
	return state != MASTER_GONE && state != MASTER_BACKOFF;
}

/* Only the kernel is waited for without a deadline, and who is ready is not waited for. */
static bool has_deadline(enum master_state state)
{
	return state != MASTER_GONE && state != MASTER_READY && state != MASTER_KILLING;
}

static void act(struct master *master, enum master_action action)
{
	switch (action) {
	case ACTION_SPAWN:
		assert(!master->process);
		master->process = master->armed = true;
		master->killed = false;
		break;
	case ACTION_SETTLE:
		master->armed = false;
		break;
	case ACTION_WATCH:
	case ACTION_ABORT:
	case ACTION_QUIT:
	case ACTION_TERM:
		assert(master->process && !master->killed);
		master->armed = true;
		break;
	case ACTION_KILL:
		assert(master->process);
		master->killed = true;
		master->armed = false;
		break;
	case ACTION_DELAY:
		assert(!master->process);
		assert(backoff_ms(master->crashes) >= BACKOFF_FIRST_MS);
		assert(backoff_ms(master->crashes) <= BACKOFF_MOST_MS);
		assert(backoff_ms(master->crashes) <= backoff_ms(master->crashes + 1));
		master->armed = true;
		break;
	case ACTION_NONE:
	case MASTER_ACTION_COUNT:
		assert(!"nothing to do is done");
	}
}

static void deliver(struct master *master, enum master_event event)
{
	enum master_state before = master->state;
	struct transition t = lifecycle_next(before, event);

	assert(t.next < MASTER_STATE_COUNT && t.action < MASTER_ACTION_COUNT);
	assert(strlen(master_state_name(t.next)) > 0);
	if (event == EVENT_EXIT)
		master->process = false;
	if (event == EVENT_DEADLINE)
		master->armed = false;
	/* An exit and a deadline always mean something: else a master would be forgotten. */
	if (t.action == ACTION_NONE) {
		assert(t.next == before && event != EVENT_EXIT && event != EVENT_DEADLINE);
		return;
	}
	master->state = t.next;
	act(master, t.action);
	assert(master->process == has_process(master->state));
	assert(master->armed == has_deadline(master->state));
	assert(!master->killed || master->state == MASTER_KILLING || !master->process);
}

/* Can it be, now that there is this process and this deadline? */
static bool can_happen(const struct master *master, enum master_event event)
{
	if (event == EVENT_EXIT)
		return master->process;
	if (event == EVENT_DEADLINE)
		return master->armed;
	return true;
}

static void end_by_stop(struct master *master)
{
	deliver(master, EVENT_STOP);
	for (int late = 0; late < RUDENESS && master->armed; late++)
		deliver(master, EVENT_DEADLINE);
	assert(!master->armed);
	if (master->process) {
		assert(master->killed);
		deliver(master, EVENT_EXIT);
	}
	assert(master->state == MASTER_GONE);
	deliver(master, EVENT_START);
	assert(master->state == MASTER_STARTING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct master master = { .state = MASTER_GONE };

	for (size_t i = 0; i < size; i++) {
		enum master_event event = data[i] % MASTER_EVENT_COUNT;

		if (!can_happen(&master, event))
			continue;
		if (event == EVENT_EXIT)
			master.crashes = backoff_count(master.crashes, (uint64_t)data[i] * 100);
		deliver(&master, event);
	}
	end_by_stop(&master);
	return 0;
}
