/* json.h - what commands say to scripts: whole, or not at all. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "util/macros.h"

/*
 * From here on a value that there is no memory for ends the command, with a sentence and status 1,
 * instead of being left out.  For commands only: PID 1 and its helpers live on.
 */
void json_begin(void);

/* Like json_string(), but what is no UTF-8 does not make the whole answer fail. */
json_t *text_json(const char *text);

/* Print @value, which is taken, as a line or several.  False, and said, when stdout takes it not.
 */
MUST_CHECK bool json_print(json_t *value);
