/* findings_json.h - findings and members as JSON. */
#pragma once

#include <jansson.h>

#include "session/finding.h"

/* Like json_string(), but what is no UTF-8 does not make the whole answer fail. */
json_t *text_json(const char *text);

/* An array with an object each.  NULL when memory is short. */
json_t *findings_json(const struct findings *findings);
json_t *members_json(const struct findings *findings);
