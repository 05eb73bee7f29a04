/* endpoint.h - where phpredis connects to for one part of session.save_path.  Pure. */
#pragma once

#include "session/parser.h"
#include "util/macros.h"

/*
 * Read host, port and tls of parser->url into parser->store.  What is a password in the wrong place
 * is never taken for a host, because hosts are shown.
 *
 * Returns 0, perhaps after a trap, or -EINVAL after refusing the part.
 */
MUST_CHECK int endpoint_read(struct parser *parser);
