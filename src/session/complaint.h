/*
 * complaint.h - say what is wrong with one address of a store: cause and fix, never a password.
 *
 * The server's own words are quoted, but of its answer to AUTH, and where they hold the beginning
 * of the password, only the error code: some servers repeat what they were sent.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "session/resolve.h"
#include "session/savepath.h"
#include "session/step.h"
#include "session/store.h"

/* Whom the complaint is about, and the report that gets it.  Borrows both. */
struct subject {
	const struct store_address *store;
	struct store_report *report;
	uint32_t timeout_ms;
	char where[STORE_WHERE_SIZE]; /* "redis:6379 (10.0.1.3)" */
};

/* One address of @store, which has @timeout_ms for everything. */
struct subject subject_init(const struct store_address *store, const struct target *target,
                            uint32_t timeout_ms, struct store_report *report);

/*
 * Say that there is no connection, into @why of @size bytes: PHP goes on to the next address then,
 * so the caller judges.  @error is the negative errno of resp_connect().
 */
void complaint_connect(const struct subject *subject, int error, char *why, size_t size);

/* These fail the report: no answer (@error and @first of resp_ask()), */
void complaint_silence(const struct subject *subject, enum step step, int error, char first);

/* ... an error answer, in the server's @words, */
void complaint_error(const struct subject *subject, enum step step, const char *words);

/* ... or another answer than the right one: "redis:6379 answers GET with @what". */
void complaint_answer(const struct subject *subject, enum step step, const char *what);
