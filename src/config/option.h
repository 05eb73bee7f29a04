/*
 * option.h - the options as rows: where each value goes and what it may be.  Pure; for parse.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "util/text.h"

enum { OPTION_KEY_SIZE = 32 };

enum option_kind {
	OPTION_TWINIT,   /* a field of struct config */
	OPTION_SESSIONS, /* of struct session_config */
	OPTION_APP,      /* of struct app_config */
};

struct option;
typedef int option_fn(const struct option *option, const char *value, void *field,
                      struct text *why);

struct option {
	enum option_kind kind;
	const char *key;
	option_fn *parse;         /* 0, or -EINVAL, a sentence in @why and *@field as it was */
	size_t offset;            /* of the field in the struct that the kind names */
	size_t size;              /* of the field */
	const char *const *words; /* the valid ones of an enum, in its order; NULL ends them */
	size_t said;              /* offset of the bool that tells it was set; 0: there is none */
};

/* The option @key of @kind, or NULL. */
const struct option *option_find(enum option_kind kind, const char *key);

/* The key of @kind that @key is a misspelling of, or NULL when none is near. */
const char *option_nearest(enum option_kind kind, const char *key);

/* The section that @key belongs in, as "[twinit]", or NULL when there is no such key. */
const char *option_section(const char *key);

/* Append "; valid are " and all keys of @kind. */
void option_list(enum option_kind kind, struct text *why);

/*
 * Set the option in the struct @base to @value.
 *
 * Returns 0, or -EINVAL, what is wrong with the value appended to @why and *@base as it was.
 */
MUST_CHECK int option_set(const struct option *option, void *base, const char *value,
                          struct text *why);
