/*
 * savepath.h - take session.save_path apart as phpredis does.  Pure; fuzzed.
 *
 * PHP's handler is the judge: what it ignores or misreads is named as a trap here, what it refuses
 * is refused.  The text may hold passwords, also where they do not belong (user:password@, a raw
 * comma or & in auth=), so sentences quote only what cannot be a part of one: host names, numbers,
 * names of options.  See doc/sessions.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macros.h"

enum {
	STORES_MAX = 16,
	STORE_HOST_SIZE = 256,
	STORE_WHERE_SIZE = 320, /* see where_add() */
	STORE_AUTH_SIZE = 512,
	STORE_PREFIX_SIZE = 128,
	SAVE_PATH_TRAP_SIZE = 512,
	STORE_PORT = 6379, /* where no port is named */
};

struct store_address {
	char host[STORE_HOST_SIZE]; /* a name, an address, or a unix path (then port is 0) */
	uint16_t port;
	bool tls;
	int database; /* negative: no SELECT */
	bool has_auth;
	char user[STORE_AUTH_SIZE]; /* empty: the default user */
	char password[STORE_AUTH_SIZE];
	char prefix[STORE_PREFIX_SIZE]; /* PHPREDIS_SESSION: unless set; may be empty */
	bool prefix_set;
	double timeout_s;      /* connect; phpredis' default is 86400 */
	double read_timeout_s; /* 0: default_socket_timeout; negative: for ever */
	bool timeout_set, read_timeout_set;
	bool persistent;
	int weight; /* at least 1 */
};

struct save_path {
	size_t count; /* at least 1 */
	struct store_address stores[STORES_MAX];
	/* The most serious trap: what PHP would do and the line to write instead; empty: none.
	 * Never holds a password. */
	char trap[SAVE_PATH_TRAP_SIZE];
};

/*
 * Parse @text as the handler "redis" of phpredis 5.3 and 6.x does: a list of URLs, separated by
 * blanks and commas.
 *
 * Returns 0 and fills *@path.  Or -EINVAL and one sentence in @why, which never holds a password:
 * PHP would fail to open it, would connect to something that the writer cannot have meant (a
 * host:port?options without scheme), or it is more than we can hold (STORES_MAX, %00, the sizes
 * above).  A list member without scheme after one with auth= is refused too, because it looks like
 * the rest of a password with a raw comma, and would be shown as a host name.
 */
MUST_CHECK int save_path_parse(const char *text, struct save_path *path, char *why,
                               size_t why_size);

/* The same without the traps of versions before 6 where @phpredis, the major version, is one of 6
 * or later; 0: it is not known. */
MUST_CHECK int save_path_parse_for(const char *text, unsigned phpredis, struct save_path *path,
                                   char *why, size_t why_size);
