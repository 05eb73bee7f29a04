/* probe.h - try one address of a store: connect, and keep a session there for a moment. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/resolve.h"
#include "session/savepath.h"
#include "session/store.h"
#include "util/macros.h"

/*
 * Connect to @target, ask what session/step.h lists, and say in @report what is wrong with the
 * answers.  A TLS store is only connected to.  Raises report->latency_us to what this one took.
 *
 * Blocks for at most @timeout_ms.  Returns true when the address took a connection, whatever it
 * answered then; otherwise false and a sentence in @why of @size bytes.
 */
MUST_CHECK bool probe(const struct store_address *store, const struct target *target,
                      uint32_t timeout_ms, struct store_report *report, char *why, size_t size);
