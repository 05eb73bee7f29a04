/* publisher.h - have the release that is active published for the web server. */
#pragma once

#include "init/state.h"

/*
 * Publish the active release of @app, if the operator wants that, in a helper: the link may lie on
 * a network file system.  What goes wrong is logged; static files then stay as they were.
 */
void publish_active(struct app *app);
