/* advice.h - the line to write instead of a part that PHP misreads or refuses.  Pure. */
#pragma once

#include "session/options.h"
#include "session/savepath.h"
#include "session/url.h"
#include "util/text.h"

/*
 * Append what is meant, between double quotes and in a form that every phpredis reads the same way:
 * "tcp://redis:6379?timeout=2&read_timeout=5&database=2&auth=PASSWORD".  Never a password: @url and
 * @options only tell whether there is one.  @store is what was read of them so far.
 */
void advice_add(struct text *text, const struct store_address *store, const struct url *url,
                const struct options *options);
