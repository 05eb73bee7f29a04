/* supervisor.h - PID 1: events in, decisions asked for, actions out. */
#pragma once

#include "config/config.h"
#include "util/macros.h"

/*
 * Run the apps of @config, which was read from @config_file (see config_load()) and is read again
 * at each roll, until told to stop.  Returns the exit status: 0 stopped as asked,
 * 69 session store unavailable, 70 replicas keep crashing, 78 configuration.
 */
MUST_CHECK int supervisor_run(const char *config_file, const struct config *config);
