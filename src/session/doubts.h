/* doubts.h - what in a pool's settings is likely not what its writer meant.  Pure. */
#pragma once

#include "session/finding.h"
#include "session/store.h"

/*
 * Note the trap in the save_path of @source, and locking that is off, too short or without an end.
 * For a pool that keeps its sessions elsewhere nothing is noted.
 */
void doubts_note(const struct session_source *source, struct findings *findings);
