/*
 * members.h - the member keys of tasks in one store, with nothing but the commands that PHP's
 * handler needs too.
 *
 * "<prefix>__twinit:member:<id>" is one task; it expires when the task is gone.
 * "<prefix>__twinit:members" lists the ids.  Two tasks that write the list at the same time may
 * lose each other's id; it is back when they ask the next time.  No session id has a ':'.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "session/finding.h"
#include "session/savepath.h"
#include "session/store.h"
#include "util/macros.h"

/* Who carries commands to the store.  ask() is as login_ask(). */
struct carrier {
	int (*ask)(struct carrier *carrier, int count, const char **words, redisReply **reply);
};

/* The tasks of one store. */
struct members {
	uint32_t count;
	struct member list[MEMBERS_MAX];
};

/* Who we are: host name, addresses, time. */
void members_self(const struct membership *membership, struct member *self);

/*
 * Keep the key of @self below @prefix for some times @every_s and read those of the others.
 *
 * Returns 0 and fills *@members, @self among them, or a negative errno of carrier->ask().
 */
MUST_CHECK int members_join(struct carrier *carrier, const char *prefix, const struct member *self,
                            uint32_t every_s, struct members *members);

/* Delete our key.  When that fails it expires by itself. */
void members_leave(struct carrier *carrier, const char *prefix, const char *id);

/*
 * Note who the members of the store @subject are, and who has our host name; the answer of
 * members_join() was @error.  The members are added to those in @findings.
 */
void members_note(const struct members *members, int error, const char *subject,
                  struct findings *findings);
