/* supported.h - keys that are read but that nothing acts on yet. */
#pragma once

#include "config/config.h"

/* The first such key that @config sets: better refused than believed in.  NULL: none. */
const char *config_unsupported(const struct config *config);
