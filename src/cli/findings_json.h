/* findings_json.h - findings and members as JSON. */
#pragma once

#include <jansson.h>

#include "session/finding.h"

/* An array with an object each. */
json_t *findings_json(const struct findings *findings);
json_t *members_json(const struct findings *findings);
