#include "init/master.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "init/launch.h"
#include "init/report.h"
#include "question/trial.h"
#include "rollout/backoff.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum {
	/* An idle FPM leaves in 10 ms, but one that has accepted a connection without a byte on it
	 * waits 5 s for that (fastcgi.c), and answers what comes. */
	QUIT_MS = 6000,
	UNSEEN_QUIT_MS = 500, /* one that never had a visitor */
	LATE_QUIT_MS = 2000,  /* one that has had its drain_timeout already */
	FORCED_LOOK_MS =
		500, /* a forced drain ends when it has seen who is busy, at the latest now */
	FORCED_QUIT_MS = 100,
	TERM_MS = 1000,
	/* Of stop_timeout: SIGKILL comes before its end, and a drain leaves time for the rest. */
	KILL_RESERVE_MS = 250,
	TERM_RESERVE_MS = TERM_MS + KILL_RESERVE_MS,
	QUIT_RESERVE_MS = TERM_MS + TERM_RESERVE_MS,
	START_SLACK_MS = 1000, /* the trial says more than the deadline behind it */
	AGAIN_MS = 200,
	RETRIALS_MAX = 5,
};

/* --- time --- */

/* While we stop, nothing may take longer than what is left of stop_timeout. */
static uint64_t limited(const struct master *master, uint64_t ms, uint64_t reserve_ms)
{
	const struct supervisor *s = master->app->supervisor;
	uint64_t now = clock_ms();

	if (s->stop == STOP_NONE)
		return ms;
	uint64_t left = s->stop_at_ms > now + reserve_ms ? s->stop_at_ms - now - reserve_ms : 0;
	return left < ms ? left : ms;
}

/* A rescue master serves what the forced roll is for. */
static bool is_forced(const struct master *master)
{
	return master->app->force && !master->rescue;
}

static uint64_t drain_ms(const struct master *master)
{
	return is_forced(master) ? FORCED_LOOK_MS : master->app->config.drain_timeout_ms;
}

static void arm(struct master *master, uint64_t in_ms)
{
	deadline_arm(&master->app->supervisor->loop, &master->deadline, in_ms);
}

void master_hurry(struct master *master)
{
	static const uint64_t reserve_ms[MASTER_STATE_COUNT] = {
		[MASTER_DRAINING] = QUIT_RESERVE_MS,
		[MASTER_QUITTING] = TERM_RESERVE_MS,
		[MASTER_TERMINATING] = KILL_RESERVE_MS,
	};
	uint64_t now = clock_ms(), at = master->deadline.at_ms;

	if (at > now)
		arm(master, limited(master, at - now, reserve_ms[master->state]));
}

static void disarm(struct master *master)
{
	deadline_disarm(&master->app->supervisor->loop, &master->deadline);
}

static void on_deadline(struct deadline *deadline)
{
	master_deliver(container_of(deadline, struct master, deadline), EVENT_DEADLINE);
}

/* --- is it ready? --- */

static void note_trial(struct master *master, const struct trial_answer *answer)
{
	struct text text = TEXT(master->trial_said);

	master->warm_set = answer->warm_set;

	if (answer->health != 0)
		text_add(&text, ", health %d", answer->health);
	if (answer->to_warm != 0)
		text_add(&text, ", warm %u of %u", answer->warmed, answer->to_warm);
	if (answer->warm_why[0] != '\0')
		report_text(master->app, NEWS_COLD, "replica %u: %.*s", master->number,
		            (int)sizeof(answer->warm_why) - 1, answer->warm_why);
}

static void on_trial_answer(struct helper *helper, const void *data, size_t size)
{
	struct master *master = container_of(helper, struct master, trial);
	const struct trial_answer *answer = data;
	struct text why = TEXT(master->why);

	if (size != sizeof(*answer))
		return;
	helper_stop(helper);
	if (answer->ready) {
		note_trial(master, answer);
		master_deliver(master, EVENT_READY);
		return;
	}
	text_add(&why, "%.*s", (int)sizeof(answer->why) - 1, answer->why);
	/* Its process may just have died, which says more; a live one has failed. */
	arm(master, answer->health != 0 ? 0 : START_SLACK_MS);
}

/* Whether connections come to its lane, ready or not. */
static bool has_visitors(const struct master *master)
{
	return master->group != GROUP_CANDIDATE || !master->app->steered;
}

/*
 * That it could not be asked is not its fault: where visitors are it serves meanwhile, until the
 * start deadline.  Elsewhere somebody waits for the roll to tell why.
 */
static void try_again(struct master *master, const char *trouble)
{
	struct text why = TEXT(master->why);

	text_add(&why, "could not be tried: %s", trouble);
	if (!has_visitors(master) && ++master->retrials > RETRIALS_MAX)
		arm(master, 0);
	else
		deadline_arm(&master->app->supervisor->loop, &master->trial_again, AGAIN_MS);
}

static void on_trial_end(struct helper *helper)
{
	try_again(container_of(helper, struct master, trial), "the helper died");
}

/*
 * Health and warm-up are for masters that visitors cannot reach yet, and for the boot.  One that
 * crashed comes back to a lane where it is needed, whatever its health script thinks of a database.
 */
static bool has_site_trial(const struct master *master)
{
	return !master->rescue &&
	       (master->group == GROUP_CANDIDATE || master->app->supervisor->boot != BOOT_DONE);
}

static int start_trial(struct master *master)
{
	struct trial_query *query = helper_query(sizeof(*query));
	struct supervisor *s = master->app->supervisor;
	const struct app_config *config = &master->generation->fpm.app;
	struct question question = {
		.run = trial_run,
		.query = query,
		.power = POWER_PRIVATE,
		.keep = { s->run.private_fd },
		.keep_count = 1,
		.timeout_ms = config->start_timeout_ms + START_SLACK_MS,
	};

	query->private_fd = s->run.private_fd;
	query->count = master->generation->fpm.settings.pool_count;
	query->timeout_ms = config->start_timeout_ms;
	query->patient = s->boot != BOOT_DONE;
	for (unsigned pool = 0; pool < query->count; pool++)
		launch_private_name(master, pool, PRIVATE_PROBE, query->probes[pool]);
	if (has_site_trial(master)) {
		launch_private_name(master, 0, PRIVATE_PAGES, query->pages);
		config_site_root(config, query->root, sizeof(query->root));
		memcpy(query->health, config->health, sizeof(query->health));
		memcpy(query->warm, config->warm, sizeof(query->warm));
	}
	master->trial.on_answer = on_trial_answer;
	master->trial.on_end = on_trial_end;
	return helper_start(&master->trial, &s->loop, &s->inheritance, &question);
}

static void on_trial_again(struct deadline *deadline)
{
	struct master *master = container_of(deadline, struct master, trial_again);
	int r = start_trial(master);

	if (r < 0)
		try_again(master, child_trouble(r));
}

/* --- actions --- */

static void signal_master(const struct master *master, int number)
{
	if (master->child.pid > 0 && kill(master->child.pid, number) < 0)
		log_errno(-errno, NOTICE_SIGNAL_FAILED, master->app->config.name,
		          "replica %u: cannot send %s to pid %d", master->number, strsignal(number),
		          master->child.pid);
}

void master_kill(const struct master *master)
{
	if (master->child.pid > 0)
		(void)kill(-master->child.pid, SIGKILL);
	signal_master(master, SIGKILL);
}

static int spawn(struct master *master)
{
	struct news news = news_of(master->app, NEWS_REPLICA_STARTING);
	int r;

	master->spawned_ms = clock_ms();
	master->ready_ms = 0;
	r = launch_master(master);
	if (r < 0) {
		struct text why = TEXT(master->why);

		text_add(&why, "cannot make its process: %s", child_trouble(r));
		return r;
	}
	master->starts++;
	master->why[0] = '\0';
	master->trial_said[0] = '\0';
	master->retrials = 0;
	news.replica = master->number;
	news.lane = master->lane;
	if (!master->rescue)
		report(master->app->supervisor, &news);
	arm(master, master->generation->fpm.app.start_timeout_ms + START_SLACK_MS);
	r = start_trial(master);
	if (r < 0)
		try_again(master, child_trouble(r));
	return 0;
}

static void settle(struct master *master, enum master_state now)
{
	struct news news =
		news_of(master->app, master->failures > 0 ? NEWS_REPLICA_BACK : NEWS_REPLICA_READY);

	disarm(master);
	if (now != MASTER_READY)
		return;
	master->ready_ms = clock_ms();
	launch_forget_config(master);
	if (master->rescue)
		return;
	news.replica = master->number;
	news.lane = master->lane;
	news.ms = (uint32_t)(master->ready_ms - master->spawned_ms);
	text_copy_cut(news.text, sizeof(news.text), master->trial_said);
	report(master->app->supervisor, &news);
}

/* Once a lane: what drains there has had its time. */
static void say_late(struct master *master, enum master_event event)
{
	struct app *app = master->app;
	struct lane_watch *watch = &app->watches[master->lane];
	struct news news = news_of(app, NEWS_DRAIN_LATE);
	struct text text = TEXT(news.text);

	if (event != EVENT_DEADLINE || !helper_running(&watch->drain))
		return;
	helper_stop(&watch->drain);
	watch->drain_over = true;
	watch->late = watch->seen.busy - (master->rescue ? 0 : watch->seen.busy_rescue);
	memcpy(news.release, master->generation->release.name, sizeof(news.release));
	news.count = watch->late;
	if (watch->seen.busy_pid != 0)
		text_add(&text, "worker %d is '%s'", watch->seen.busy_pid,
		         worker_state_name(watch->seen.busy_state));
	report(app->supervisor, &news);
}

static void quit(struct master *master, enum master_state before, enum master_event event)
{
	/* Where masters share a lane a stop cannot wait for idleness, so FPM's own has to. */
	uint64_t grace = event == EVENT_DEADLINE  ? LATE_QUIT_MS
	                 : !has_visitors(master)  ? UNSEEN_QUIT_MS
	                 : before == MASTER_READY ? drain_ms(master)
	                                          : QUIT_MS;

	if (is_forced(master))
		grace = FORCED_QUIT_MS;
	if (before == MASTER_DRAINING)
		say_late(master, event);
	signal_master(master, SIGQUIT);
	arm(master, limited(master, grace, TERM_RESERVE_MS));
}

/* FPM serves visitors before it has passed its trial, if it can serve at all. */
static void end_start(struct master *master, enum master_state before)
{
	bool gently = before == MASTER_STARTING && has_visitors(master) &&
	              master->app->supervisor->boot == BOOT_DONE;

	if (gently)
		signal_master(master, SIGQUIT);
	else
		master_kill(master);
	arm(master, gently ? drain_ms(master) : TERM_MS);
}

/* What is still busy when a graceful stop was not enough does not get its answer. */
static void count_cut(struct master *master)
{
	struct lane_watch *watch = &master->app->watches[master->lane];

	master->app->cut += watch->late;
	watch->late = 0;
}

static void delay(struct master *master)
{
	/* A start that takes its whole time and fails is no life. */
	uint64_t lived_ms = master->ready_ms ? clock_ms() - master->ready_ms : 0;
	struct news news =
		news_of(master->app, master->group == GROUP_CANDIDATE ? NEWS_REPLICA_FAILED
	                                                              : NEWS_REPLICA_CRASHED);
	struct text text = TEXT(news.text);

	master->crashes = backoff_count(master->crashes, lived_ms);
	master->failures++;
	master->app->crashes++;
	text_copy_cut(master->failure, sizeof(master->failure), master->why);
	news.replica = master->number;
	news.ms = backoff_ms(master->crashes);
	text_add(&text, "%s%s", master->rescue ? "its rescue master: " : "", master->why);
	report(master->app->supervisor, &news);
	arm(master, news.ms);
}

/* Carry out @action.  False when a process could not be made. */
static bool perform(struct master *master, enum master_action action, enum master_state before,
                    enum master_event event)
{
	switch (action) {
	case ACTION_SPAWN:
		return spawn(master) >= 0;
	case ACTION_SETTLE:
		settle(master, master->state);
		break;
	case ACTION_WATCH:
		arm(master, limited(master, drain_ms(master), QUIT_RESERVE_MS));
		break;
	case ACTION_QUIT:
		quit(master, before, event);
		break;
	case ACTION_TERM:
		count_cut(master);
		signal_master(master, SIGTERM);
		arm(master, limited(master, TERM_MS, KILL_RESERVE_MS));
		break;
	case ACTION_ABORT:
		end_start(master, before);
		break;
	case ACTION_KILL:
		disarm(master);
		master_kill(master);
		break;
	case ACTION_DELAY:
		delay(master);
		break;
	case ACTION_NONE:
	case MASTER_ACTION_COUNT:
		break;
	}
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): once, because what follows EXIT makes no process */
void master_deliver(struct master *master, enum master_event event)
{
	enum master_state before = master->state;
	struct transition t = lifecycle_next(before, event);

	if (t.action == ACTION_NONE)
		return;
	if (t.next != MASTER_STARTING) {
		helper_stop(&master->trial);
		deadline_disarm(&master->app->supervisor->loop, &master->trial_again);
	}
	if (before == MASTER_STARTING && t.next == MASTER_ABORTING && master->why[0] == '\0') {
		struct text why = TEXT(master->why);

		text_add(&why, "was not ready within start_timeout");
	}
	master->state = t.next;
	if (!perform(master, t.action, before, event))
		master_deliver(master, EVENT_EXIT); /* a failure is an event like any other */
}

void master_prepare(struct master *master, struct app *app)
{
	*master = (struct master){
		.app = app,
		.child.report_fd = FD_NONE,
		.config_fd = FD_NONE,
		.trial.source.fd = FD_NONE,
		.deadline.on_due = on_deadline,
		.trial_again.on_due = on_trial_again,
	};
}
