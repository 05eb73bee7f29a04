/*
 * reading.h - the FPM configuration while the settings helper reads it.  Shared by its parts:
 * settings.c runs FPM, fpm_info.c asks it for PHP's settings, accounts.c turns names into numbers,
 * logs.c looks for their logs,
 * privileges.c decides as whom and with what masters run, program_copy.c copies the program,
 * replica_config.c writes what replicas are
 * started with.
 */
#pragma once

#include "fpm/dump.h"
#include "question/program.h"
#include "question/settings.h"
#include "util/text.h"

/* What is collected on the way.  The helper's memory goes with it; nothing is freed. */
struct reading {
	const struct settings_query *query;
	struct settings_answer *answer;
	struct text why; /* one sentence into answer->why */
	struct release release;
	uint64_t random;               /* part of names that must not be guessed */
	char *info;                    /* php-fpm -i */
	struct program dumping;        /* php-fpm -tt while it runs ... */
	char dumped[CONFIG_PATH_SIZE]; /* ... and of which configuration */
	struct fpm_dump dump;          /* what it said */
};

/* Steps: each returns 0, or -errno and has said why. */

/* All that FPM says itself, for r->answer->app: the program, -i, -tt, its pools. */
MUST_CHECK int reading_ask_fpm(struct reading *r);

/* php-fpm -i into r->info. */
MUST_CHECK int fpm_info_read(struct reading *r);

/* Where OPcache's lock file cannot be: does FPM start all the same? */
MUST_CHECK int fpm_info_try_opcache(struct reading *r);

/* The user and groups of @pool, who is never root. */
MUST_CHECK int accounts_read_user(struct reading *r, const struct fpm_pool *pool,
                                  struct identity *identity);

/* Who the unix socket of each pool shall belong to. */
MUST_CHECK int accounts_read_owners(struct reading *r);

/* The session settings of each pool, into query->sources. */
MUST_CHECK int replica_config_write_sources(struct reading *r);

/* As whom masters run, and what they need beyond what every process may do. */
MUST_CHECK int privileges_decide(struct reading *r);

/* Nobody can open a log in a directory that is not there, or on a read-only file system. */
MUST_CHECK int logs_check(struct reading *r);

/* A copy of php-fpm that masters' user may run and not read, where that is possible and of use. */
MUST_CHECK int program_copy(struct reading *r);

/* The prepended files of path isolation, and an overlay for each replica into query->overlays. */
MUST_CHECK int replica_config_write(struct reading *r);

/* Append what is wrong, as FPM said it in @output: the first line with an error, or else the last
 * one.  @output is changed. */
void fpm_info_telling_line(struct text *why, char *output);

/* The (local) value of @key in @info, which php-fpm -i printed.  False when it is not there. */
bool fpm_info_value(const char *info, const char *key, char *to, size_t size);
