/* traps.h - what PHP makes of a part otherwise than its writer can have meant.  Pure. */
#pragma once

#include "session/parser.h"

/* Look for all traps of the part that parser->store has been filled from, and name the worst. */
void traps_check(struct parser *parser);
