#include "init/deploy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "init/report.h"
#include "init/roll.h"
#include "init/watch.h"
#include "util/cleanup.h"

enum { POINT_MS = 10000 };

/* In client->awaits, until the number of the roll is known. */
#define AWAITS_LINK UINT32_MAX

/* What the helper is asked: to point the link at a directory, or to undo that. */
struct point_query {
	bool back;
	const char *link;
	const char *dir;
	const char *docroot; /* NULL: need not be there */
	const char *active;
	int active_fd;
	struct pointing pointing; /* for the way back */
};

struct point_answer {
	int error;
	bool back;
	struct pointing pointing;
	char why[WHY_SIZE];
};

static void point_run(const void *query, int answer_fd)
{
	const struct point_query *q = query;
	struct point_answer answer = { .back = q->back, .pointing = q->pointing };

	answer.error = q->back ? point_back(q->link, &q->pointing)
	                       : point_release(q->link, q->dir, q->docroot, q->active, q->active_fd,
	                                       &answer.pointing, answer.why, sizeof(answer.why));
	helper_answer(answer_fd, &answer, sizeof(answer));
}

/* --- who waits --- */

static bool is_ours(const struct client *client, const struct app *app)
{
	return client_waits(client) &&
	       (client->request.command == COMMAND_DEPLOY ||
	        client->request.command == COMMAND_ROLLBACK) &&
	       client->awaits[app->index] == AWAITS_LINK;
}

PRINTF_LIKE(3, 4)
static void answer(struct app *app, int status, const char *format, ...)
{
	char sentence[WHY_SIZE];
	struct text text = TEXT(sentence);
	va_list args;

	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &app->supervisor->server.clients[i];

		if (is_ours(client, app))
			server_end(client, status, "%s: %s", app->config.name, sentence);
	}
}

static void await_roll(struct app *app)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &app->supervisor->server.clients[i];

		if (!is_ours(client, app))
			continue;
		client->awaits[app->index] = roll_next_number(app);
		if (client->request.no_wait)
			server_end(client, EXIT_SUCCESS, "%s: deploying release %s",
			           app->config.name, app->deploy.pointing.name);
	}
}

/* --- to --- */

static void say_pointing(struct app *app, const char *from, const char *to)
{
	struct news news = news_of(app, NEWS_POINTED);
	struct text text = TEXT(news.text);

	text_add(&text, "%s -> %s", app->config.release, to);
	if (from[0] != '\0')
		text_add(&text, " (was %s)", from);
	report(app->supervisor, &news);
}

/* The link was not moved: a deploy that is still watched goes on being that. */
static void give_up(struct app *app)
{
	bool watched = app->deploy.watched && app->rollout.phase == ROLL_WATCH;

	app->deploy.step = watched ? DEPLOY_ROLLING : DEPLOY_NONE;
}

/* Whether the helper came to move it nobody knows. */
static void lose_sight(struct app *app, const char *why)
{
	give_up(app);
	log_write(NOTICE_DEPLOY_UNCLEAR, app->config.name,
	          "deploy refused: %s; look where %s points", why, app->config.release);
	answer(app, EXIT_FAILURE, "deploy refused: %s; look where %s points", why,
	       app->config.release);
}

static void fail(struct app *app, const char *why)
{
	give_up(app);
	log_write(NOTICE_DEPLOY_REFUSED, app->config.name,
	          "deploy refused, nothing was touched: %s", why);
	answer(app, EXIT_FAILURE, "deploy refused, nothing was touched: %s", why);
}

static bool take_back(struct app *app);

static void on_pointed(struct app *app, const struct pointing *pointing)
{
	/* Another release may have become the active one since the question was put. */
	bool is_active = pointing->is_active && app->deploy.generation == app->active->number;

	if (pointing->moved)
		say_pointing(app, pointing->before, pointing->after);
	/* Whoever deploys the next release does not want the way back from the last one any more.
	 */
	if (app->deploy.watched)
		app->watch.lingers = false;
	app->deploy.pointing = *pointing;
	app->deploy.is_rollback = app->deploy.asked_back;
	if (app->supervisor->stop != STOP_NONE) {
		answer(app, EXIT_FAILURE, "deploy given up, the container is stopping");
		(void)take_back(app);
		return;
	}
	if (is_active && app->rollout.phase == ROLL_IDLE && !app->rollout.again) {
		app->deploy.step = DEPLOY_NONE;
		answer(app, EXIT_SUCCESS, "release %s is active already", pointing->name);
		return;
	}
	app->deploy.step = DEPLOY_ROLLING;
	app->deploy.roll = roll_next_number(app);
	await_roll(app);
	roll_request(app);
}

/* --- and back --- */

static void say_back(const struct app *app, int error)
{
	if (error == -EBUSY)
		log_write(NOTICE_LINK_MOVED, app->config.name,
		          "%s was moved meanwhile and stays as it is", app->config.release);
	else
		log_errno(error, NOTICE_LINK_STUCK, app->config.name, "cannot point %s back",
		          app->config.release);
}

/* @from and @to: what the link said and says, where it moved. */
static void on_back(struct app *app, int error, const char *from, const char *to)
{
	if (error < 0)
		say_back(app, error);
	else if (strcmp(from, to) != 0)
		say_pointing(app, from, to[0] ? to : "nothing");
	app->deploy.step = DEPLOY_NONE;
	roll_conclude(app, app->deploy.outcome);
}

/* --- the helper --- */

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	struct app *app = container_of(helper, struct app, deploy.helper);
	struct point_answer answer;

	if (size != sizeof(answer))
		return;
	memcpy(&answer, data, sizeof(answer));
	helper_stop(helper);
	if (app->deploy.step == DEPLOY_RETURNING && answer.back)
		on_back(app, answer.error, answer.pointing.after, answer.pointing.before);
	else if (app->deploy.step == DEPLOY_RETURNING)
		on_back(app, answer.error, answer.pointing.before, answer.pointing.after);
	else if (answer.error < 0)
		fail(app, answer.why);
	else
		on_pointed(app, &answer.pointing);
}

static void on_end(struct helper *helper)
{
	struct app *app = container_of(helper, struct app, deploy.helper);

	if (app->deploy.step == DEPLOY_RETURNING)
		on_back(app, -ETIMEDOUT, "", "");
	else
		lose_sight(app, helper->late ? "the file system of the release does not answer"
		                             : "the helper that moves the link died");
}

static int start(struct app *app, const struct point_query *query)
{
	struct supervisor *s = app->supervisor;
	struct question question = {
		.run = point_run,
		.query = query,
		.power = POWER_LINKS,
		.timeout_ms = POINT_MS,
	};

	if (query->active_fd >= 0)
		question.keep[question.keep_count++] = query->active_fd;
	return helper_start(&app->deploy.helper, &s->loop, &s->inheritance, &question);
}

static int point(struct app *app, const char *dir)
{
	const struct point_query query = {
		.link = app->config.release,
		.dir = dir,
		.docroot = app->config.docroot_set ? app->config.docroot : NULL,
		.active = app->active->release.path,
		.active_fd = app->active->release.fd,
	};

	app->deploy.generation = app->active->number;
	return start(app, &query);
}

/* --- orders --- */

/* Is there a roll that has not made its release the active one, and may yet do so? */
static bool decides(const struct app *app)
{
	switch (app->rollout.phase) {
	case ROLL_PREFLIGHT:
	case ROLL_LANE:
	case ROLL_ROOM:
	case ROLL_BUILD:
	case ROLL_PROVE:
	case ROLL_PUBLISH:
	case ROLL_ABANDON:
		return true;
	case ROLL_IDLE:
	case ROLL_WATCH:
	case ROLL_RETURN:
	case ROLL_DRAIN:
	case ROLL_FILL:
	case ROLL_PHASE_COUNT:
		break;
	}
	return false;
}

/* Is there a deploy whose release is active, and may yet be taken back? */
static bool is_watched(const struct app *app)
{
	return app->deploy.step == DEPLOY_ROLLING && app->rollout.phase == ROLL_WATCH;
}

/* Why not now?  NULL: now. */
static const char *obstacle(const struct app *app)
{
	if (app->config.release[0] == '\0')
		return "its code is in the image; set release to the symlink that a deploy moves";
	if (app->deploy.step != DEPLOY_NONE && !is_watched(app))
		return "another deploy is under way";
	if (decides(app))
		return "a roll is under way, see twinit status; ask again when it is over";
	return NULL;
}

void deploy_begin(struct app *app, const char *dir, struct client *client)
{
	const char *why = obstacle(app);

	if (why) {
		server_end(client, EXIT_FAILURE, "%s: %s", app->config.name, why);
		return;
	}
	client->awaits[app->index] = AWAITS_LINK;
	app->deploy.watched = is_watched(app);
	app->deploy.step = DEPLOY_POINTING;
	app->deploy.asked_back = client->request.command == COMMAND_ROLLBACK;
	int r = point(app, dir);
	if (r < 0)
		fail(app, strerror(-r));
}

/* The roll at hand goes back, and ends with that. */
static void rollback_at_once(struct app *app, struct client *client)
{
	client->awaits[app->index] = app->rolls_begun;
	app->deploy.at_once = true;
	watch_condemn(app, "twinit rollback was asked for");
	if (client->request.no_wait)
		server_end(client, EXIT_SUCCESS, "%s: going back", app->config.name);
}

void deploy_rollback(struct app *app, struct client *client)
{
	if (app->rollout.phase == ROLL_WATCH && app->watch.lingers) {
		if (app->deploy.is_rollback && app->deploy.step == DEPLOY_ROLLING)
			server_end(client, EXIT_FAILURE,
			           "%s: what is watched is a rollback itself; name the release "
			           "you want with twinit deploy",
			           app->config.name);
		else
			rollback_at_once(app, client);
		return;
	}
	if (app->previous[0] == '\0') {
		server_end(client, EXIT_FAILURE,
		           "%s: no release before this one is known to this container; name one "
		           "with twinit deploy",
		           app->config.name);
		return;
	}
	deploy_begin(app, app->previous, client);
}

/* A deploy takes its link back; so does an operator's way back, whoever had moved the link. */
static bool take_back(struct app *app)
{
	const struct point_query back = {
		.back = true,
		.link = app->config.release,
		.active_fd = FD_NONE,
		.pointing = app->deploy.pointing,
	};
	int r = app->deploy.step == DEPLOY_NONE ? point(app, app->active->release.path)
	                                        : start(app, &back);

	app->deploy.step = DEPLOY_RETURNING;
	if (r < 0) {
		log_errno(r, NOTICE_LINK_STUCK, app->config.name, "cannot point %s back",
		          app->config.release);
		app->deploy.step = DEPLOY_NONE;
	}
	return r >= 0;
}

/* @ours: the deploy's own roll. */
static bool has_to_take_back(const struct app *app, bool ours, enum roll_outcome outcome)
{
	const struct deploy *deploy = &app->deploy;

	if (ours)
		return outcome != ROLL_DONE;
	return deploy->at_once && deploy->step == DEPLOY_NONE && outcome == ROLL_TAKEN_BACK &&
	       app->config.release[0] != '\0';
}

bool deploy_roll_ended(struct app *app, enum roll_outcome outcome)
{
	struct deploy *deploy = &app->deploy;
	bool ours = deploy->step == DEPLOY_ROLLING && app->rolls_begun >= deploy->roll;

	if (has_to_take_back(app, ours, outcome)) {
		deploy->outcome = outcome;
		return take_back(app);
	}
	if (!ours)
		return false;
	/* Whoever goes back twice does not mean the release that was bad. */
	if (deploy->is_rollback)
		app->previous[0] = '\0';
	deploy->step = DEPLOY_NONE;
	return false;
}

void deploy_cancel(struct app *app)
{
	struct deploy *deploy = &app->deploy;
	bool ours = deploy->step == DEPLOY_ROLLING;
	/* One that waits for the roll before has come to nothing. */
	enum roll_outcome outcome =
		ours && app->rolls_begun < deploy->roll ? ROLL_NONE : app->rollout.outcome;

	deploy->outcome = outcome;
	if (has_to_take_back(app, ours, outcome))
		(void)take_back(app);
}

bool deploy_busy(const struct app *app)
{
	return helper_running(&app->deploy.helper);
}

bool deploy_did(const struct app *app, const struct client *client, enum roll_outcome outcome)
{
	if (client->request.command == COMMAND_ROLLBACK && app->deploy.at_once)
		return outcome == ROLL_TAKEN_BACK;
	return outcome == ROLL_DONE;
}

void deploy_forget(struct app *app)
{
	app->deploy.at_once = false;
	if (app->deploy.step == DEPLOY_NONE)
		app->deploy.is_rollback = false;
}

bool deploy_holds(const struct app *app)
{
	return app->deploy.step == DEPLOY_RETURNING;
}

void deploy_stop(struct app *app)
{
	helper_stop(&app->deploy.helper);
	app->deploy.step = DEPLOY_NONE;
}

void deploy_init(struct app *app)
{
	app->deploy.helper.source.fd = FD_NONE;
	app->deploy.helper.on_answer = on_answer;
	app->deploy.helper.on_end = on_end;
}
