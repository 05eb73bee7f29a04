/* choose.h - which of several stores has a session.  Pure. */
#pragma once

#include "session/savepath.h"

/*
 * The store of @path that phpredis keeps the session @id in: the first four bytes of the id, as a
 * number of this machine, and the weights of the list from its end choose it (redis_session.c,
 * redis_pool_get_sock).  An id of PHP has at least 22 characters.
 */
const struct store_address *choose_store(const struct save_path *path, const char *id);
