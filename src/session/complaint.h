/*
 * complaint.h - say what is wrong with one address of a store: cause and fix, never a password.
 *
 * The server's own words are quoted, but of its answer to AUTH, and where they hold the beginning
 * of the password, only the error code: some servers repeat what they were sent.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "session/finding.h"
#include "session/resolve.h"
#include "session/savepath.h"
#include "session/step.h"

/* Whom the complaint is about, and who gets it.  Borrows both. */
struct subject {
	const struct store_address *store;
	struct findings *findings;
	uint32_t timeout_ms;
	char name[FINDING_SUBJECT_SIZE]; /* "redis:6379 (10.0.1.3), database 2" */
};

/* One address of @store, which has @timeout_ms for everything; @target may be NULL: all of them. */
struct subject subject_init(const struct store_address *store, const struct target *target,
                            uint32_t timeout_ms, struct findings *findings);

/*
 * Say that there is no connection: a warning when PHP @goes_on to another address.  @error is the
 * negative errno of resp_connect().
 */
void complaint_connect(const struct subject *subject, int error, bool goes_on);

/* No answer: @error and @first of resp_ask(). */
void complaint_silence(const struct subject *subject, enum step step, int error, char first);

/* An error answer, in the server's @words. */
void complaint_error(const struct subject *subject, enum step step, const char *words);

/* Another answer than the right one: "answers GET with @what"; @fix may be NULL. */
void complaint_answer(const struct subject *subject, enum finding_id id, enum step step,
                      const char *what, const char *fix);
