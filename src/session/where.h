/* where.h - name a store in a sentence.  Pure. */
#pragma once

#include "session/savepath.h"
#include "util/text.h"

/* Append "redis:6379", "[::1]:6379" or "/run/redis.sock". */
void where_add(struct text *text, const struct store_address *store);
