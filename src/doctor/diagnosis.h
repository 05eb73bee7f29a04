/*
 * diagnosis.h - what `twinit check` has to say: a bounded list.  Pure.
 *
 * doc/check.md has a row for each id, for the operator.
 */
#pragma once

#include <stdint.h>

#include "util/macros.h"

enum {
	DIAGNOSES_MAX = 512,
	DIAGNOSIS_SUBJECT_SIZE = 384,
	DIAGNOSIS_TEXT_SIZE = 640,
};

/* The worst last. */
enum diagnosis_result {
	DIAGNOSIS_OK,
	DIAGNOSIS_WARNING, /* works, but not as well as it could, or cannot be seen */
	DIAGNOSIS_PROBLEM, /* does not work, or will fail */
	DIAGNOSIS_RESULT_COUNT,
};

/* What it is about; diagnosis_name() has the words that scripts rely on. */
enum diagnosis_id {
	DIAGNOSIS_CONFIG,
	DIAGNOSIS_KERNEL,
	DIAGNOSIS_STEERING,
	DIAGNOSIS_USER,
	DIAGNOSIS_CAPABILITIES,
	DIAGNOSIS_SECCOMP,
	DIAGNOSIS_APPARMOR,
	DIAGNOSIS_FILES,
	DIAGNOSIS_STOP_GRACE,
	DIAGNOSIS_TWINIT,
	DIAGNOSIS_RELEASE,
	DIAGNOSIS_DOCROOT,
	DIAGNOSIS_ISOLATION,
	DIAGNOSIS_FPM,
	DIAGNOSIS_PHP,
	DIAGNOSIS_CONTROL_TIMEOUT,
	DIAGNOSIS_OPCACHE,
	DIAGNOSIS_TIMESTAMPS,
	DIAGNOSIS_FILE_CACHE,
	DIAGNOSIS_OPCACHE_RESET,
	DIAGNOSIS_APCU,
	DIAGNOSIS_MEMORY,
	DIAGNOSIS_PIDS,
	DIAGNOSIS_PM,
	DIAGNOSIS_WORKERS,
	DIAGNOSIS_BACKLOG,
	DIAGNOSIS_CLEAR_ENV,
	DIAGNOSIS_KEEP_CONN,
	DIAGNOSIS_SESSIONS,
	DIAGNOSIS_ID_COUNT,
};

struct diagnosis {
	enum diagnosis_id id;
	enum diagnosis_result result;
	char subject[DIAGNOSIS_SUBJECT_SIZE]; /* "www", "www: pool api"; empty: the container */
	char seen[DIAGNOSIS_TEXT_SIZE];
	char fix[DIAGNOSIS_TEXT_SIZE]; /* what to change; empty: nothing */
};

/* Starts zeroed. */
struct diagnoses {
	unsigned count;
	unsigned left_off; /* did not fit */
	unsigned results[DIAGNOSIS_RESULT_COUNT];
	struct diagnosis list[DIAGNOSES_MAX];
};

/* "clear-env" and "problem". */
const char *diagnosis_name(enum diagnosis_id id);
const char *diagnosis_result_name(enum diagnosis_result result);

/* Note what was seen of @subject, as @format says; @fix may be NULL. */
PRINTF_LIKE(6, 7)
void diagnoses_note(struct diagnoses *diagnoses, enum diagnosis_id id, enum diagnosis_result result,
                    const char *subject, const char *fix, const char *format, ...);
