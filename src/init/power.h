/* power.h - what the FPM tree of an app may do: the syscall filters, and what the log says of it.
 */
#pragma once

#include "init/state.h"

/* What a master of @generation and its workers live under, see confine/filter.h. */
uint32_t power_filters(const struct generation *generation);

/* Log what the app's candidate is given beyond what twinit gives by itself, when that begins. */
void power_say(const struct app *app);
