/*
 * cluster_path.h - take session.save_path apart as phpredis does for the handler "rediscluster": a
 * query string, "seed[]=a:6379&seed[]=b:6379&timeout=2&prefix=...".  Pure; fuzzed.
 */
#pragma once

#include "session/savepath.h"
#include "util/macros.h"

/*
 * Parse @text.  Each seed becomes a store of *@path; login, prefix and timeouts are the same for
 * all, the database is none.  @text may hold passwords, sentences never do.
 *
 * Returns 0 and fills *@path, or -EINVAL and one sentence in @why: PHP would not open it, or it is
 * more than we can hold.
 */
MUST_CHECK int cluster_path_parse(const char *text, struct save_path *path, char *why,
                                  size_t why_size);
