/* load.h - the configuration from its file and the environment. */
#pragma once

#include "config/config.h"
#include "util/macros.h"

#define CONFIG_FILE_DEFAULT "/etc/twinit.conf"

enum { CONFIG_ERROR_SIZE = 512 };

/*
 * Read the defaults, then @file, then the environment @environment (NULL-terminated NAME=VALUE
 * strings), then check the whole.  @file may be NULL: CONFIG_FILE_DEFAULT is then read if it
 * exists.  An app "www" is there when none is named.  Reads a local file, does not block otherwise.
 *
 * @warn, unless NULL, is told of unknown TWINIT_* variables, one sentence each; known names that
 * the commands use themselves (TWINIT_CONFIG) are not told.
 *
 * Returns 0 and fills *@config, or a negative errno and in @error one sentence with file and line,
 * or the variable's name, the cause and the fix; *@config is then not to be used.
 */
MUST_CHECK int config_load(const char *file, char *const environment[], struct config *config,
                           char error[CONFIG_ERROR_SIZE], void (*warn)(const char *sentence));
