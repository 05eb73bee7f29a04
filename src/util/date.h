/* date.h - a moment as people and log readers write it. */
#pragma once

#include <stdint.h>

#include "util/text.h"

/*
 * Append the UTC of @seconds since 1970 as "2026-11-21T13:11:08".  For times that the kernel's
 * clock can have, which ends in 2262: the time it takes grows with the year.  Unlike gmtime(),
 * which sets the time zone up although it needs none, opens no file.
 */
void date_add(struct text *text, uint64_t seconds);
