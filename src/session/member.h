/*
 * member.h - who else keeps sessions in a store: what a task writes into its member key.  Pure.
 *
 * The value is "1 HOSTNAME SERVICE SINCE SEEN ADDRESS,ADDRESS", times in seconds since 1970.  It
 * was written by somebody else, so nothing but plain characters is taken from it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macros.h"

enum {
	MEMBERS_MAX = 64,
	MEMBER_ID_SIZE = 17, /* 16 hexadecimal digits */
	MEMBER_HOSTNAME_SIZE = 65,
	MEMBER_SERVICE_SIZE = 64,
	MEMBER_ADDRESSES_SIZE = 256,
	MEMBER_VALUE_SIZE = 512,
	MEMBER_INDEX_SIZE = MEMBERS_MAX * MEMBER_ID_SIZE + 1,
};

/* One task that keeps its sessions in the store. */
struct member {
	char id[MEMBER_ID_SIZE];
	char hostname[MEMBER_HOSTNAME_SIZE];
	char service[MEMBER_SERVICE_SIZE]; /* "-": it does not know */
	uint64_t since_s;                  /* its start */
	uint64_t seen_s;                   /* when it last asked the store */
	char addresses[MEMBER_ADDRESSES_SIZE];
	uint8_t self; /* yes or no; comes from another process */
};

/* Write the value of @member to @to. */
void member_print(const struct member *member, char to[MEMBER_VALUE_SIZE]);

/* Read @value into *@member, whose id is known.  False when it is none of ours. */
MUST_CHECK bool member_parse(const char *value, struct member *member);

/* True when @address is one of the member's. */
MUST_CHECK bool member_has_address(const struct member *member, const char *address);

/*
 * True when @other is another task with the hostname of @self that is alive, not one that was here
 * before it: it asked the store after @self had started.
 */
MUST_CHECK bool member_is_double(const struct member *self, const struct member *other);

/* Does @text look like an id? */
MUST_CHECK bool member_is_id(const char *text);

/*
 * Take the next id out of the index *@at, a list of ids each followed by a blank, into @id.
 * Nonsense between them is passed over.  False at the end.
 */
MUST_CHECK bool member_index_next(const char **at, char id[MEMBER_ID_SIZE]);
