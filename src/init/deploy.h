/* deploy.h - rolls that move the release symlink themselves, and take it back when they fail. */
#pragma once

#include "init/state.h"

/*
 * Have the link of @app name @dir and roll; @client (NULL: nobody) waits for the end, and is told
 * at once when that cannot be done.
 */
void deploy_begin(struct app *app, const char *dir, struct client *client);

/* Go back to the release before: over the way back, where there is one, else by a deploy of it. */
void deploy_rollback(struct app *app, struct client *client);

/*
 * A roll of @app ended with @outcome.  Returns true when the link has to be seen to first; then
 * roll_conclude() comes later.
 */
bool deploy_roll_ended(struct app *app, enum roll_outcome outcome);

/* Is @outcome of a roll what @client, who waited for it, wanted? */
bool deploy_did(const struct app *app, const struct client *client, enum roll_outcome outcome);

/* A roll of @app is over, and all who waited for it have been told. */
void deploy_forget(struct app *app);

/* Has the next roll to wait, because the link is being moved? */
bool deploy_holds(const struct app *app);

/*
 * The program stops, before the rollout is told: where the link names a release that has not become
 * the active one, it goes back in a helper, so that the next start finds what served.
 */
void deploy_cancel(struct app *app);

/* Is the link being moved at the moment? */
bool deploy_busy(const struct app *app);

/* End the helper, wherever it is. */
void deploy_stop(struct app *app);

void deploy_init(struct app *app);
