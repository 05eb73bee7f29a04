/*
 * plain.h - a plain init for any other command: `twinit -- CMD`.
 *
 * The command gets a process group of its own, and the terminal where we have it, so that Ctrl-C,
 * Ctrl-Z and a shell's job control work as without us.  Every signal that can be forwarded goes to
 * the command itself.  Orphans are reaped.  When the command has ended, what it has left running is
 * ended too.
 */
#pragma once

#include "config/config.h"
#include "util/macros.h"

/*
 * Run @argv (found in PATH).  With @config, answers `twinit health`, `status` and `stop` in its
 * run_dir, unless another twinit does there; NULL: answers nobody.
 *
 * Returns the command's exit status, 128 + n when signal n killed it, 127 when it was not found and
 * 126 when it cannot be executed.
 */
MUST_CHECK int plain_run(const struct config *config, char *const argv[]);
