/* prime.h - have the workers of the candidates run the pages of `warm` before visitors come. */
#pragma once

#include "init/state.h"

/* Begin; app->primed says when it is over.  What cannot be had is left out. */
void prime_begin(struct app *app);

void prime_stop(struct app *app);

void prime_init(struct app *app);
