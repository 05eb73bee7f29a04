/*
 * finding.h - what was found out about sessions: a bounded list of findings, and of the tasks that
 * keep a member key in the store.  Pure.
 *
 * A finding says whom it is about, what was seen and what to do, and never holds a password.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/member.h"
#include "util/macros.h"

enum {
	FINDINGS_MAX = 64,
	FINDING_SUBJECT_SIZE = 384,
	FINDING_TEXT_SIZE = 512,
};

/* The worst last. */
enum finding_result {
	FINDING_OK,
	FINDING_NOT_ASKED,
	FINDING_UNKNOWN, /* we may not look */
	FINDING_WARNING,
	FINDING_FAILED,
	FINDING_RESULT_COUNT,
};

/* What it is about; finding_name() has the words that scripts rely on. */
enum finding_id {
	FINDING_HANDLER,
	FINDING_SAVE_PATH,
	FINDING_LOCKING,
	FINDING_LOCK_EXPIRY,
	FINDING_RESOLVE,
	FINDING_CONNECT,
	FINDING_TLS,
	FINDING_ANSWER,
	FINDING_PROTOCOL,
	FINDING_AUTH,
	FINDING_ACL,
	FINDING_DATABASE,
	FINDING_LOADING,
	FINDING_ROLE,
	FINDING_CLUSTER,
	FINDING_WRITE,
	FINDING_EXPIRY,
	FINDING_COMMANDS,
	FINDING_LOCK_COMMANDS,
	FINDING_EVICTION,
	FINDING_PERSISTENCE,
	FINDING_MEMORY,
	FINDING_CLIENTS,
	FINDING_SPLIT,
	FINDING_MEMBERS,
	FINDING_HOSTNAME,
	FINDING_TASKS,
	FINDING_LOCKS,
	FINDING_CHAIN,
	FINDING_STORES,
	FINDING_ID_COUNT,
};

struct finding {
	uint32_t id;     /* enum finding_id */
	uint32_t result; /* enum finding_result */
	char subject[FINDING_SUBJECT_SIZE];
	char seen[FINDING_TEXT_SIZE];
	char fix[FINDING_TEXT_SIZE]; /* what to do; empty: nothing */
};

/* Starts zeroed. */
struct findings {
	uint32_t count;
	uint32_t left_off; /* did not fit */
	uint32_t member_count;
	struct finding list[FINDINGS_MAX];
	struct member members[MEMBERS_MAX];
};

/* "eviction" and "not asked"; "?" for what is none. */
const char *finding_name(uint32_t id);
const char *finding_result_name(uint32_t result);

/*
 * Note what was seen of @subject, as @format says; @fix may be NULL, and so may
 * @findings: then nothing is noted.  The same about the same
 * subject is noted once.  In a full list something worse replaces the last entry.
 */
PRINTF_LIKE(6, 7)
void findings_note(struct findings *findings, enum finding_id id, enum finding_result result,
                   const char *subject, const char *fix, const char *format, ...);

/* The same with a @sentence that may end in "; write ...", which is the fix. */
void findings_note_sentence(struct findings *findings, enum finding_id id,
                            enum finding_result result, const char *subject, const char *sentence);

/* The first finding with @result, or NULL. */
const struct finding *findings_first(const struct findings *findings, enum finding_result result);

/* "SUBJECT: SEEN; FIX" into @to of @size bytes. */
void finding_sentence(const struct finding *finding, char *to, size_t size);
