/*
 * options.h - what one part of session.save_path sets behind its '?': the options that phpredis
 * knows, and what a name that it does not know may have meant.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "session/query.h"
#include "session/savepath.h"
#include "session/url.h"
#include "session/value.h"
#include "util/macros.h"

enum {
	AUTH_ENTRIES = 3, /* phpredis wants one or two; three stands for more */
};

enum option {
	OPTION_AUTH,
	OPTION_DATABASE,
	OPTION_PERSISTENT,
	OPTION_PERSISTENT_ID,
	OPTION_PREFIX,
	OPTION_READ_TIMEOUT,
	OPTION_RETRY_INTERVAL,
	OPTION_STREAM,
	OPTION_TIMEOUT,
	OPTION_WEIGHT,
	OPTION_COUNT,
};

/* One entry of auth[]. */
struct auth_entry {
	char key[QUERY_NAME_SIZE];
	char text[STORE_AUTH_SIZE];
};

/* One part's query, as PHP's array of it. */
struct options {
	struct value values[OPTION_COUNT];
	size_t auth_count;
	struct auth_entry auth[AUTH_ENTRIES];
	unsigned long auth_next; /* the index that auth[] gets */
	bool secret_seen;        /* what follows may be the rest of a password */
	bool unknown_seen;
	char unknown[QUERY_NAME_SIZE]; /* the first unknown name; empty: not to be shown */
	const char *meant;             /* ... and the option that it looks like, or NULL */
	int database_meant;            /* what db=2 says; negative: nothing */
	enum option refused;           /* the one that options_read() could not hold */
};

/* "read_timeout" */
const char *options_name(enum option option);

/*
 * Fill *@options from the query of @url, and from its fragment, which phpredis puts back.
 *
 * Returns false when a value is too long or holds a NUL; then options->refused says which.
 */
MUST_CHECK bool options_read(const struct url *url, struct options *options);

/*
 * What phpredis logs in with, see its redis_extract_auth_info(): of auth[] one entry is the
 * password, two are user and password, anything else is ignored.
 *
 * Returns true and fills *@user (NULL: the default user) and *@password, which point into
 * *@options; or false when PHP does not log in.
 */
MUST_CHECK bool options_login(const struct options *options, const char **user,
                              const char **password);
