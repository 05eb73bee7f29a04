/* login.h - a further conversation with a store that is known to answer. */
#pragma once

#include <stdint.h>

#include "session/resolve.h"
#include "session/resp.h"
#include "session/savepath.h"
#include "util/macros.h"

/*
 * Connect @resp, which is resp_init()ed, to @target, log in and choose the database of @store.
 * Blocks until the deadline of @resp at most.
 *
 * Returns 0, -EACCES when the store answers with an error, or a negative errno.
 */
MUST_CHECK int login(struct resp *resp, const struct store_address *store,
                     const struct target *target);

/*
 * Ask one command of @count @words.  0 and a reply that is no error, which the caller frees; or
 * -EACCES for an error answer, or a negative errno of resp_ask().
 */
MUST_CHECK int login_ask(struct resp *resp, int count, const char **words, redisReply **reply);
