/* boot.h - from nothing to serving, step by step; nothing is half-started when one fails. */
#pragma once

#include "init/state.h"

/* Begin: ask what isolation can be had, for each app. */
void boot_begin(struct supervisor *supervisor);

/* Take the next steps that are due; ends with BOOT_DONE, or with a shutdown that says why. */
void boot_advance(struct supervisor *supervisor);
