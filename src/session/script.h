/*
 * script.h - the PHP script that writes and reads a session through PHP's own handler, whatever
 * that is, and what it answers.  Pure.
 *
 * It is run through a replica's private socket, with settings that no other script there has: they
 * stay in the worker.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/macros.h"

enum {
	SCRIPT_ID_SIZE = 257, /* PHP makes up to 256 characters */
	SCRIPT_TEXT_SIZE = 200,
};

/* The script's text. */
extern const char script_php[];

/*
 * PHP_ADMIN_VALUE of a request for it: PHP reads and runs this file and no other, where it lies
 * outside the release too.
 */
extern const char script_settings[];

struct script_answer {
	char id[SCRIPT_ID_SIZE];        /* of the session; empty: none was begun */
	char value[SCRIPT_TEXT_SIZE];   /* what is in it; empty: nothing */
	char problem[SCRIPT_TEXT_SIZE]; /* PHP's first complaint, printable; empty: none */
};

/*
 * Take apart what the script printed.
 *
 * Returns 0 and fills *@answer, or -EBADMSG when it is something else: lines of other names, an id
 * that PHP does not make, longer texts.
 */
MUST_CHECK int script_read(const char *body, size_t size, struct script_answer *answer);
