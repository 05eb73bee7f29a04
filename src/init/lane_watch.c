#include "init/lane_watch.h"

#include <string.h>

#include "init/lane_choice.h"
#include "init/launch.h"
#include "init/master.h"
#include "init/masters.h"
#include "init/report.h"
#include "init/yield.h"
#include "util/cleanup.h"
#include "util/clock.h"

_Static_assert((REPLICAS_MAX + 1) * POOLS_MAX <= DRAIN_SOCKETS_MAX, "a lane has more masters");

enum {
	STUCK_MS = 1000, /* workers that take no connection for so long are hung, or too few */
	AGAIN_MS = 1000,
};

/* --- lost lanes --- */

/* Returns what is to be said of it. */
static const char *lose(struct app *app, struct lanes *lanes, unsigned lane)
{
	unsigned refuge = lane_refuge(app);
	bool visited = lane == lanes->active;
	int r = lanes_lose(lanes, lane, refuge);

	if (!visited)
		return r < 0 ? "new connections may go astray, restart the container"
		             : "nothing is built on it any more";
	return refuge == LANE_COUNT || r < 0 ? "no other one is free, so nobody can connect"
	                                     : "moving to another one";
}

static void on_shut(struct lane_listener *listener)
{
	struct lane_watch *watch = listener->watch;
	struct app *app = watch->app;
	struct lanes *lanes = &app->lanes[listener - watch->listeners];
	struct news news = news_of(app, NEWS_LANE_LOST);

	loop_forget(&app->supervisor->loop, &listener->source);
	if (lanes->lost[watch->lane])
		return;
	news.lane = watch->lane;
	text_copy_cut(news.text, sizeof(news.text), lose(app, lanes, watch->lane));
	report(app->supervisor, &news);
}

/* --- rescue --- */

static void unwatch(struct lane_watch *watch)
{
	for (unsigned i = 0; watch->watched && i < POOLS_MAX; i++) {
		loop_forget(&watch->app->supervisor->loop, &watch->listeners[i].source);
		watch->listeners[i].source.fd = FD_NONE;
	}
	watch->watched = false;
}

static bool has_rescue(const struct app *app, unsigned lane)
{
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (app->masters[i].state != MASTER_GONE && app->masters[i].rescue &&
		    app->masters[i].lane == lane)
			return true;
	return false;
}

static void rescue(struct lane_watch *watch)
{
	struct app *app = watch->app;
	struct news news = news_of(app, NEWS_RESCUE);

	if (has_rescue(app, watch->lane))
		return;

	unwatch(watch);
	news.lane = watch->lane;
	report(app->supervisor, &news);
	master_start(app, app->active, GROUP_OLD, watch->lane, 1, true);
}

/* --- drain --- */

static bool is_draining(const struct master *master, unsigned lane)
{
	return master->state == MASTER_DRAINING && master->lane == lane;
}

/* Who drains on the lane and is no rescue master, or NULL. */
static const struct master *retired_on(const struct lane_watch *watch)
{
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (is_draining(&watch->app->masters[i], watch->lane) &&
		    !watch->app->masters[i].rescue)
			return &watch->app->masters[i];
	return NULL;
}

static void tell(struct lane_watch *watch, enum news_kind kind)
{
	const struct master *retired = retired_on(watch);
	struct news news = news_of(watch->app, kind);

	if (!retired && kind != NEWS_DRAINED)
		return;
	if (retired)
		text_copy_cut(news.release, sizeof(news.release),
		              retired->generation->release.name);
	else
		news.kind = NEWS_RESCUED;
	news.lane = watch->lane;
	news.count = watch->seen.busy - watch->seen.busy_rescue;
	news.ms = (uint32_t)(clock_ms() - watch->drain_since_ms);
	report(watch->app->supervisor, &news);
}

static void finish_drain(struct lane_watch *watch)
{
	struct app *app = watch->app;

	tell(watch, NEWS_DRAINED);
	helper_stop(&watch->drain);
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (is_draining(&app->masters[i], watch->lane))
			master_deliver(&app->masters[i], EVENT_IDLE);
}

/* No time for those who are busy; that they are is all that there was to see. */
static void end_drain(struct lane_watch *watch)
{
	struct app *app = watch->app;

	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (is_draining(&app->masters[i], watch->lane) && !app->masters[i].rescue)
			master_deliver(&app->masters[i], EVENT_DEADLINE);
}

static void on_drain_answer(struct helper *helper, const void *data, size_t size)
{
	struct lane_watch *watch = container_of(helper, struct lane_watch, drain);
	const struct drain_answer *answer = data;

	if (size != sizeof(*answer) || answer->busy_state > WORKER_OTHER ||
	    answer->busy_rescue > answer->busy)
		return;
	watch->seen = *answer;
	if (answer->stuck)
		rescue(watch);
	if (answer->idle)
		finish_drain(watch);
	else if (answer->busy == 0 && !answer->queued)
		yield_begin(watch); /* by the second look it is done */
	else if (answer->busy > answer->busy_rescue)
		tell(watch, NEWS_DRAINING);
	if (watch->app->force && answer->busy > answer->busy_rescue)
		end_drain(watch);
}

static void on_again(struct deadline *deadline)
{
	container_of(deadline, struct lane_watch, again)->drain_over = false;
}

/* Nobody looks for a moment; drain_timeout goes on. */
static void drain_again(struct lane_watch *watch)
{
	watch->drain_over = true;
	deadline_arm(&watch->app->supervisor->loop, &watch->again, AGAIN_MS);
}

static void on_drain_end(struct helper *helper)
{
	struct lane_watch *watch = container_of(helper, struct lane_watch, drain);

	log_write(NOTICE_HELPER_DIED, watch->app->config.name,
	          "the helper that watches the drain died, starting another");
	drain_again(watch);
}

static void add_master(const struct master *master, struct drain_query *query)
{
	const struct fpm_settings *settings = &master->generation->fpm.settings;

	for (unsigned pool = 0;
	     pool < settings->pool_count && query->socket_count < DRAIN_SOCKETS_MAX; pool++) {
		struct drain_socket *socket = &query->sockets[query->socket_count++];

		launch_private_name(master, pool, PRIVATE_STATUS, socket->name);
		memcpy(socket->path, settings->pools[pool].status_path, sizeof(socket->path));
		socket->rescue = master->rescue;
	}
}

static bool somebody_quits(const struct lane_watch *watch)
{
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (watch->app->masters[i].state == MASTER_QUITTING &&
		    watch->app->masters[i].lane == watch->lane)
			return true;
	return false;
}

static uint32_t drain_set(const struct lane_watch *watch)
{
	uint32_t set = 0;

	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (is_draining(&watch->app->masters[i], watch->lane))
			set |= UINT32_C(1) << i;
	return set;
}

static void start_drain(struct lane_watch *watch)
{
	struct app *app = watch->app;
	struct supervisor *s = app->supervisor;
	struct drain_query *query = helper_query(sizeof(*query));
	struct question question = {
		.run = drain_run,
		.query = query,
		.power = POWER_PRIVATE,
		.keep = { s->run.private_fd },
		.keep_count = 1,
	};
	int r;

	query->private_fd = s->run.private_fd;
	query->stuck_ms = app->force ? 0 : STUCK_MS;
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (is_draining(&app->masters[i], watch->lane))
			add_master(&app->masters[i], query);
	for (unsigned i = 0; i < app->lanes_count; i++) {
		query->listeners[query->listener_count++] = app->lanes[i].fds[watch->lane];
		question.keep[question.keep_count++] = app->lanes[i].fds[watch->lane];
	}
	watch->seen = (struct drain_answer){ 0 };
	/* Whether those who quit late still get their answers is yet to be seen. */
	if (!somebody_quits(watch))
		watch->late = 0;
	if (watch->drain_set == 0)
		watch->drain_since_ms = clock_ms();
	watch->drain_set = drain_set(watch);
	watch->drain.on_answer = on_drain_answer;
	watch->drain.on_end = on_drain_end;
	r = helper_start(&watch->drain, &s->loop, &s->inheritance, &question);
	watch->drain_over = false;
	if (r < 0) {
		log_errno(r, NOTICE_HELPER_FAILED, app->config.name,
		          "cannot watch the drain, trying again");
		drain_again(watch);
	}
}

/* Who drains may change: a rescue master joins, a master dies. */
static void advance_drain(struct lane_watch *watch)
{
	uint32_t set = drain_set(watch);

	if (set != watch->drain_set) {
		helper_stop(&watch->drain);
		/* Those whose time was over have gone; a rescue master has time of its own. */
		if (!retired_on(watch))
			watch->drain_over = false;
	}
	if (set == 0) {
		watch->drain_set = 0;
		watch->drain_over = false;
	} else if (!helper_running(&watch->drain) && !watch->drain_over) {
		start_drain(watch);
	}
}

/* --- late connections --- */

/* One late connection calls for one rescue master, on whichever address it came. */
static void on_listener(struct event_source *source)
{
	struct lane_listener *listener = container_of(source, struct lane_listener, source);

	if (listener_is_shut(source->fd))
		on_shut(listener);
	else if (listener->watch->rescues)
		rescue(listener->watch);
}

/* Every lane is watched for somebody who shuts its sockets, an abandoned one for connections too.
 */
static void watch_lane(struct lane_watch *watch, bool rescues)
{
	struct app *app = watch->app;
	struct loop *loop = &app->supervisor->loop;

	/* Nothing is open before the first generation is read. */
	if (app->lanes_count == 0 || (watch->watched && watch->rescues == rescues))
		return;
	unwatch(watch);
	watch->watched = true;
	watch->rescues = rescues;
	for (unsigned i = 0; i < app->lanes_count; i++) {
		struct event_source *source = &watch->listeners[i].source;

		source->fd = app->lanes[i].fds[watch->lane];
		source->on_ready = on_listener;
		if (source->fd < 0)
			continue;
		int r = rescues ? loop_watch(loop, source) : loop_watch_shut(loop, source);
		if (r < 0)
			log_errno(r, NOTICE_LANE_UNWATCHED, app->config.name,
			          "cannot watch lane %c", lane_letter(watch->lane));
	}
}

/* A rescue master that answers drains at once: it is there for what waits and nothing else. */
static void advance_rescue(struct lane_watch *watch)
{
	struct app *app = watch->app;

	for (size_t i = 0; i < MASTERS_MAX; i++) {
		struct master *master = &app->masters[i];

		if (master->rescue && master->lane == watch->lane && master->state == MASTER_READY)
			master_deliver(master, EVENT_DRAIN);
	}
}

static bool abandoned(const struct lane_watch *watch)
{
	const struct app *app = watch->app;

	return app->lanes_count > 0 && app->active && !lane_has_master(app, watch->lane) &&
	       (watch->lane != app->lane || app->supervisor->stop == STOP_DRAIN);
}

void lane_watches_advance(struct app *app)
{
	for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
		struct lane_watch *watch = &app->watches[lane];

		advance_rescue(watch);
		advance_drain(watch);
		watch_lane(watch, abandoned(watch));
	}
}

void lane_watches_init(struct app *app)
{
	for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
		struct lane_watch *watch = &app->watches[lane];

		*watch = (struct lane_watch){ .app = app, .lane = lane, .again.on_due = on_again };
		watch->drain.source.fd = FD_NONE;
		yield_init(watch);
		for (unsigned i = 0; i < POOLS_MAX; i++)
			watch->listeners[i] = (struct lane_listener){
				.source.fd = FD_NONE,
				.watch = watch,
			};
	}
}

static bool only_failing_rescue(const struct app *app, unsigned lane)
{
	bool failing = false;

	for (size_t i = 0; i < MASTERS_MAX; i++) {
		const struct master *master = &app->masters[i];

		if (master->state == MASTER_GONE || master->lane != lane)
			continue;
		if (!master->rescue || master->state != MASTER_BACKOFF)
			return false;
		failing = true;
	}
	return failing;
}

unsigned lane_give_up_rescue(struct app *app)
{
	for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
		if (lane == app->lane || !only_failing_rescue(app, lane))
			continue;
		for (size_t i = 0; i < MASTERS_MAX; i++)
			if (app->masters[i].lane == lane)
				master_deliver(&app->masters[i], EVENT_STOP);
		return lane;
	}
	return LANE_COUNT;
}

int lane_prepare(struct app *app, unsigned lane)
{
	unwatch(&app->watches[lane]);
	for (unsigned i = 0; app->steered && i < app->lanes_count; i++) {
		int r = lanes_prepare(&app->lanes[i], lane);

		if (r < 0)
			return log_errno(r, NOTICE_LANE_FAILED, app->config.name,
			                 "cannot prepare lane %c", lane_letter(lane));
	}
	return 0;
}

void lane_watches_stop(struct app *app)
{
	for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
		unwatch(&app->watches[lane]);
		helper_stop(&app->watches[lane].drain);
		yield_stop(&app->watches[lane]);
	}
}
