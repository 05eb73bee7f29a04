/*
 * secrets.h - give a child the secrets that a container gets as files (Docker, Kubernetes).
 *
 * For children only: PID 1 never has them in its memory.
 */
#pragma once

#include <stddef.h>

#include "util/macros.h"

/*
 * For each NAME in @names (separated by blanks) put the content of the file that the variable
 * NAME_FILE names, without its last newline, into the variable NAME.  A NAME that is set already,
 * without NAME_FILE, stays.
 *
 * Returns 0, or -errno and in @why one sentence that names the variable or the file, never a
 * secret.
 */
MUST_CHECK int secrets_load(const char *names, char *why, size_t why_size);
