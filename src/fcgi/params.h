/* params.h - the FastCGI parameters of a request that an operator makes. */
#pragma once

#include "fcgi/body.h"
#include "fpm/fastcgi.h"

struct fcgi_params {
	struct fastcgi_param *list;
	size_t count;
	char script[4096]; /* SCRIPT without its query */
	char length[24];
};

/* What @pair, which is "KEY=VALUE", says of @key; NULL: nothing. */
const char *fcgi_params_value(const char *pair, const char *key);

/*
 * The parameters for @script ("/path.php?query") with @body; the @count @pairs, each "KEY=VALUE",
 * are cut in two, set more of them or replace them.
 *
 * Returns 0 and fills *@to, which borrows the strings and is freed by fcgi_params_done(), or
 * -EMSGSIZE when the path is too long, or -ENOMEM.
 */
MUST_CHECK int fcgi_params_make(const char *script, const struct fcgi_body *body, char *pairs[],
                                size_t count, struct fcgi_params *to);

void fcgi_params_done(struct fcgi_params *params);
