/* plain.h - a plain init for any other command: `twinit -- CMD`. */
#pragma once

#include "util/macros.h"

/*
 * Run @argv (found in PATH) in a process group of its own, in the terminal's foreground where there
 * is one.  Every signal that can be forwarded is; orphans are reaped.
 *
 * Returns the command's exit status, 128 + n when signal n killed it, 127 when it was not found and
 * 126 when it cannot be executed.
 */
MUST_CHECK int plain_run(char *const argv[]);
