#include "init/events.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "init/state.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum {
	RUN_MS = 10000,
	RESERVE_MS = 250, /* of the stop: what is killed has to be reaped */
	NOBODY = 65534,
};

static void start_next(struct supervisor *s);

/* --- what is wrong with it --- */

/*
 * Not of each event, but again after it has worked in between.  Runs that were under way when it
 * was said have the same trouble, whatever began and worked since.
 */
static void complain(struct supervisor *s, unsigned number, const char *why)
{
	struct events *events = &s->events;

	if (events->complained || number <= events->said_until)
		return;
	log_write(
		NOTICE_ON_EVENT_FAILED, "",
		"on_event: %s %s; nothing else depends on it, and this is not said again until it "
		"has worked",
		s->config->on_event, why);
	events->complained = true;
	events->said_until = events->starts;
}

/* --- runs --- */

static void say_cut(struct event_run *run)
{
	struct supervisor *s = run->supervisor;

	run->flooded = true;
	if (!s->events.flooded)
		log_write(NOTICE_ON_EVENT_CUT, "",
		          "on_event: the rest of what it prints is cut, %d lines of a run are "
		          "enough",
		          NOTIFY_LINES_MAX);
	s->events.flooded = true;
}

static void take_end(struct event_run *run, const struct notify_answer *answer)
{
	struct supervisor *s = run->supervisor;

	run->over = true;
	if (!run->flooded)
		s->events.flooded = false;
	if (answer->kind == NOTIFY_FAILED)
		complain(s, run->number, answer->text);
	else
		s->events.complained = false;
}

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	static struct notify_answer answer;
	struct event_run *run = container_of(helper, struct event_run, helper);

	if (size != sizeof(answer))
		return;
	memcpy(&answer, data, sizeof(answer));
	answer.text[sizeof(answer.text) - 1] = '\0';
	switch (answer.kind) {
	case NOTIFY_LINE:
		log_write(NOTICE_ON_EVENT_OUTPUT, "", "on_event: %s", answer.text);
		break;
	case NOTIFY_CUT:
		say_cut(run);
		break;
	case NOTIFY_DONE:
	case NOTIFY_FAILED:
		take_end(run, &answer);
		break;
	}
}

static void on_end(struct helper *helper)
{
	struct event_run *run = container_of(helper, struct event_run, helper);

	if (!run->over)
		complain(run->supervisor, run->number,
		         helper->late ? "had not ended after 10 s and was killed"
		                      : "could not be run: its helper died");
	start_next(run->supervisor);
}

/* --- as whom --- */

static const struct generation *generation_for(const struct supervisor *s, const char *name)
{
	const struct generation *any = NULL;

	for (size_t i = 0; i < s->app_count; i++) {
		const struct app *app = &s->apps[i];

		if (app->active && strcmp(app->config.name, name) == 0)
			return app->active;
		if (!any)
			any = app->active;
	}
	return any;
}

/* The user that PHP runs as; nobody where that is root, for several users, or not known yet. */
static struct identity identity_for(const struct supervisor *s, const char *name)
{
	const struct generation *generation = generation_for(s, name);

	if (generation && generation->fpm.identity.uid != 0)
		return generation->fpm.identity;
	if (geteuid() != 0)
		return identity_current();
	return (struct identity){ .uid = NOBODY, .gid = NOBODY };
}

/* --- the queue --- */

static struct event_run *free_run(struct events *events, enum news_kind kind)
{
	size_t places = kind == NEWS_STOPPING ? EVENT_PLACES : EVENT_RUNS;

	for (size_t i = 0; i < places; i++)
		if (!helper_running(&events->runs[i].helper))
			return &events->runs[i];
	return NULL;
}

static int start(struct event_run *run, const struct event *event)
{
	struct notify_query *query = helper_query(sizeof(*query));
	struct supervisor *s = run->supervisor;
	struct question question = {
		.run = notify_run,
		.query = query,
		.power = POWER_PROGRAM,
		.identity = identity_for(s, event->news.app),
		.timeout_ms = RUN_MS,
	};

	query->command = s->config->on_event;
	query->environment = s->environment;
	query->secrets = s->config->secrets;
	query->umask = s->inheritance.umask;
	event_facts(event, query);
	run->number = ++s->events.starts;
	run->over = run->flooded = false;
	run->helper.on_answer = on_answer;
	run->helper.on_end = on_end;
	return helper_start(&run->helper, &s->loop, &s->inheritance, &question);
}

static void start_next(struct supervisor *s)
{
	struct events *events = &s->events;
	struct event_run *run;

	while (events->count > 0 &&
	       (run = free_run(events, events->queue[events->first].news.kind))) {
		int r = start(run, &events->queue[events->first]);

		events->first = (events->first + 1) % EVENTS_WAITING_MAX;
		events->count--;
		if (r < 0)
			complain(s, events->starts, child_trouble(r));
	}
}

static uint64_t now_since_1970(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void drop(struct supervisor *s)
{
	if (s->events.dropped++ == 0)
		log_write(NOTICE_ON_EVENT_DROPPED, "",
		          "on_event: %d events wait for the program, dropping others until it has "
		          "caught up",
		          EVENTS_WAITING_MAX);
}

/* The end of the container goes before what waits: its time is short. */
static struct event *new_place(struct events *events, enum news_kind kind)
{
	if (kind == NEWS_STOPPING) {
		events->first = (events->first + EVENTS_WAITING_MAX - 1) % EVENTS_WAITING_MAX;
		events->count += events->count < EVENTS_WAITING_MAX;
		return &events->queue[events->first];
	}
	return &events->queue[(events->first + events->count++) % EVENTS_WAITING_MAX];
}

void events_tell(struct supervisor *supervisor, const struct news *news)
{
	struct events *events = &supervisor->events;

	if (supervisor->config->on_event[0] == '\0' || events->over || !event_is_one(news->kind))
		return;
	events->number++;
	if (events->count == EVENTS_WAITING_MAX && news->kind != NEWS_STOPPING) {
		drop(supervisor);
		return;
	}
	*new_place(events, news->kind) = (struct event){
		.news = *news,
		.number = events->number,
		.dropped = events->dropped,
		.at_ms = now_since_1970(),
	};
	events->dropped = 0;
	start_next(supervisor);
}

/* --- the end --- */

void events_stop(struct supervisor *supervisor)
{
	struct events *events = &supervisor->events;

	for (size_t i = 0; i < EVENT_PLACES; i++)
		helper_stop(&events->runs[i].helper);
	deadline_disarm(&supervisor->loop, &events->last);
	events->count = 0;
	events->over = true;
}

static void on_last(struct deadline *deadline)
{
	struct supervisor *s = container_of(deadline, struct supervisor, events.last);

	if (events_busy(s))
		complain(s, ++s->events.starts, "had no more time in the stop and was killed");
	events_stop(s);
}

void events_end_at(struct supervisor *supervisor, uint64_t at_ms)
{
	uint64_t now = clock_ms() + RESERVE_MS;

	deadline_arm(&supervisor->loop, &supervisor->events.last, at_ms > now ? at_ms - now : 0);
}

bool events_busy(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < EVENT_PLACES; i++)
		if (helper_running(&supervisor->events.runs[i].helper))
			return true;
	return supervisor->events.count > 0;
}

void events_note_exit(struct supervisor *supervisor, pid_t pid)
{
	for (size_t i = 0; i < EVENT_PLACES; i++)
		helper_note_exit(&supervisor->events.runs[i].helper, pid);
}

void events_init(struct supervisor *supervisor)
{
	for (size_t i = 0; i < EVENT_PLACES; i++) {
		supervisor->events.runs[i].supervisor = supervisor;
		supervisor->events.runs[i].helper.source.fd = FD_NONE;
	}
	supervisor->events.last.on_due = on_last;
}
