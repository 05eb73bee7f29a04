/* publisher.h - have a release published for the web server. */
#pragma once

#include "init/state.h"

/*
 * Publish the candidate of @app, if the operator wants that, in a helper: the link may lie on a
 * network file system.  The outcome comes as app->published (with app->why on a no), perhaps at
 * once.
 */
void publish_candidate(struct app *app);

/* Publish the active release.  What goes wrong is logged; static files then stay as they were. */
void publish_active(struct app *app);

void publisher_init(struct app *app);
