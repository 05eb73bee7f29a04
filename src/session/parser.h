/*
 * parser.h - where the parsing of session.save_path stands, and the sentences it ends in.
 *
 * A part that PHP would not open is refused, which ends the parsing.  A trap is what PHP opens
 * otherwise than its writer can have meant; parsing goes on, and only the worst is told.  No
 * sentence holds a password.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "session/options.h"
#include "session/savepath.h"
#include "session/url.h"
#include "util/macros.h"
#include "util/text.h"

/* The most serious first; of equals the first one is kept. */
enum trap {
	TRAP_LOGIN_IGNORED,
	TRAP_AUTH_IGNORED,
	TRAP_AUTH_EMPTY,
	TRAP_DATABASE,
	TRAP_UNKNOWN_OPTION,
	TRAP_FRAGMENT,
	TRAP_VALUE,
	TRAP_IPV6,
	TRAP_STREAM,
	TRAP_SCHEME,
	TRAP_FOREVER,
	TRAP_TIMEOUT,
	TRAP_NONE,
};

struct parser {
	unsigned phpredis; /* its major version; 0: not known */
	struct save_path *path;
	struct text why;   /* gets the sentence of a refusal */
	enum trap trap;    /* the worst of all parts; its sentence is in path->trap */
	bool login_before; /* an earlier part has auth=, or user and password before an @ */
	size_t part;       /* the one being read, from 1; the rest is about this one */
	struct url url;
	struct options options;
	struct store_address *store; /* what it is read into, one of path->stores */
};

/* Say in parser->why "part 2 of session.save_path " and what is wrong with it.  Returns -EINVAL. */
PRINTF_LIKE(2, 3) MUST_CHECK int parser_refuse(struct parser *parser, const char *format, ...);

/*
 * The same, followed by "; write " and the line; host and port must be in parser->store.
 * Returns -EINVAL.
 */
PRINTF_LIKE(2, 3)
MUST_CHECK int parser_refuse_with_line(struct parser *parser, const char *format, ...);

/*
 * Say in path->trap "redis:6379: ", the sentence, "; write " and the line, unless it has a worse
 * trap already.  Host and port must be in parser->store.
 */
PRINTF_LIKE(3, 4)
void parser_trap(struct parser *parser, enum trap trap, const char *format, ...);
