/* hook.h - the program of `on_event`, as far as it can be looked at before it runs. */
#pragma once

#include "config/config.h"
#include "util/macros.h"

#define ON_EVENT_VARIABLE "TWINIT_ON_EVENT"

/*
 * Can it be run, as far as this process can see?  For the start: one that goes missing later holds
 * up nothing.  0, or -EINVAL and in @error of @size bytes one sentence that says where it was set
 * and what is wrong.
 */
MUST_CHECK int hook_check(const struct config *config, char *error, size_t size);
