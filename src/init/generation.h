/* generation.h - the release and FPM configuration that replicas are started with. */
#pragma once

#include "init/state.h"

/*
 * Begin a new generation of @app: follow its release link and have a helper read its FPM
 * configuration.  The outcome comes as app->preflight_answer (with app->why on a no), perhaps at
 * once; app->candidate is the generation on a yes.
 */
void generation_begin(struct app *app);

/* Give up the preflight or candidate at hand; its masters must be gone. */
void generation_forget_candidate(struct app *app);

/* Free every generation that is neither active, candidate, nor some master's. */
void generation_collect(struct app *app);

/* At the end: remove what all of them left in run_dir. */
void generation_clean_up(struct app *app);
