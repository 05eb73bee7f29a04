/* status.h - the ways in which `twinit status` shows an overview. */
#pragma once

#include <jansson.h>

#include "cli/overview.h"

/* For people: a table of at most 80 columns, and a few lines about each app. */
void status_print(const struct overview *overview);

/* For scripts, as doc/status.md says; the caller's. */
json_t *status_json(const struct overview *overview);
