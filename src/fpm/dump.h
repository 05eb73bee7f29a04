/*
 * dump.h - read what `php-fpm -tt` and `php-fpm -i` print.  Pure text work, run in a helper.
 *
 * -tt is run with the configuration that overlay_write_dump() makes.  It prints each directive as a
 * log line:
 *
 *     [21-Nov-2026 10:01:41] NOTICE: [www]
 *     [21-Nov-2026 10:01:41] NOTICE: \tlisten = 127.0.0.1:9000
 *     [21-Nov-2026 10:01:41] NOTICE: \tphp_admin_value[memory_limit] = 64M
 *
 * and a problem as "ERROR: [/etc/php/8.2/fpm/pool.d/www.conf:12] unknown entry 'lsten'".
 *
 * Of directives with an [index] FPM prints the last one written first; where one is written twice,
 * the first one written is what PHP gets, so it is the last one printed that counts (measured).
 * php_flag[x] is printed as php_value[x] = 1 or 0, php_admin_flag likewise.  ${VAR} was replaced by
 * its value, env[x] = $VAR was not: workers do that when they start.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/macros.h"

struct fpm_directive {
	const char *section; /* "global" or the pool's name */
	const char *key;     /* with its [index], as in "env[TMPDIR]" */
	const char *value;   /* never NULL; "" when FPM prints "undefined" */
	bool cut; /* FPM printed only the beginning: the line is longer than 2047 bytes */
};

struct fpm_dump {
	struct fpm_directive *directives; /* in the order printed; point into the text */
	size_t count;
	char problem[512]; /* the first ERROR or ALERT, without its time; empty: none */
	bool successful;   /* "test is successful" was printed */
};

/*
 * Take the output of `php-fpm -tt` apart.  @text is changed (NULs are put in) and must outlive
 * *@dump.  Lines that are not understood are passed over.
 *
 * Returns 0 and fills *@dump, whose owner calls fpm_dump_done(), or -ENOMEM.
 */
MUST_CHECK int fpm_dump_parse(char *text, struct fpm_dump *dump);
void fpm_dump_done(struct fpm_dump *dump);

/* The value of @key in @section, or "" when it is not there.  The last one printed wins. */
const char *fpm_dump_get(const struct fpm_dump *dump, const char *section, const char *key);

/*
 * The value that a pool's PHP sees for @setting: php_admin_value, php_value of the pool in this
 * order (flags are among them), else the master value in @info (`php-fpm -i`), else "".
 * @info is not changed; "no value" counts as "".  The value is copied to @value.
 *
 * Returns 0, or -ENAMETOOLONG when it does not fit, or FPM printed only its beginning.
 */
MUST_CHECK int fpm_dump_php_setting(const struct fpm_dump *dump, const char *info, const char *pool,
                                    const char *setting, char *value, size_t size);

/* One php.ini setting in the output of `php-fpm -i`; points into it, no NUL behind. */
struct fpm_ini {
	const char *name;
	size_t name_length;
	const char *value;
	size_t value_length;
};

/*
 * The next setting in *@info, which is moved behind it.  Nothing of the environment, which -i
 * prints as well, is taken for one.  False at the end.
 */
bool fpm_info_next(const char **info, struct fpm_ini *ini);
