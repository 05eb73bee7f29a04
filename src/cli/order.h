/* order.h - what the commands that change something have in common. */
#pragma once

#include <stdbool.h>

#include "cli/command.h"
#include "control/wire.h"
#include "util/macros.h"

/*
 * Read "[--force] [--no-wait] [all | APP [REPLICA]]" of @command into @request; options that
 * @force and @no_wait do not allow are refused.  0, or the exit status after having complained.
 */
MUST_CHECK int order_parse(const struct command *command, int argc, char *argv[], bool force,
                           bool no_wait, struct wire_request *request);

/* Give the order, show its steps as they happen, and return the exit status at its end. */
int order_follow(const struct wire_request *request);
