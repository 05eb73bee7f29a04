#include "fcgi/params.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/text.h"

enum { OWN_MAX = 20 };

const char *fcgi_params_value(const char *pair, const char *key)
{
	size_t length = strlen(key);

	return strncmp(pair, key, length) == 0 && pair[length] == '=' ? pair + length + 1 : NULL;
}

/* A later value replaces an earlier one, as in an environment. */
static void set(struct fcgi_params *to, const char *name, const char *value)
{
	size_t i = 0;

	while (i < to->count && strcmp(to->list[i].name, name) != 0)
		i++;
	to->list[i] = (struct fastcgi_param){ name, value };
	if (i == to->count)
		to->count++;
}

static void set_body(struct fcgi_params *to, const struct fcgi_body *body)
{
	set(to, "REQUEST_METHOD", body->fd >= 0 ? "POST" : "GET");
	if (body->fd < 0)
		return;
	set(to, "CONTENT_TYPE", "application/x-www-form-urlencoded");
	snprintf(to->length, sizeof(to->length), "%llu", (unsigned long long)body->size);
	set(to, "CONTENT_LENGTH", to->length);
}

static void set_own(struct fcgi_params *to, const char *uri)
{
	const char *query = strchr(uri, '?');

	set(to, "SCRIPT_FILENAME", to->script);
	set(to, "SCRIPT_NAME", to->script);
	set(to, "QUERY_STRING", query ? query + 1 : "");
	set(to, "REQUEST_URI", uri);
	set(to, "DOCUMENT_URI", to->script);
	set(to, "SERVER_PROTOCOL", "HTTP/1.1");
	set(to, "SERVER_SOFTWARE", "twinit");
	set(to, "SERVER_NAME", "localhost");
	set(to, "SERVER_ADDR", "127.0.0.1");
	set(to, "SERVER_PORT", "80");
	set(to, "REMOTE_ADDR", "127.0.0.1");
	set(to, "GATEWAY_INTERFACE", "CGI/1.1");
	set(to, "HTTP_HOST", "localhost");
	set(to, "HTTP_USER_AGENT", "twinit/" TWINIT_VERSION);
}

int fcgi_params_make(const char *script, const struct fcgi_body *body, char *pairs[], size_t count,
                     struct fcgi_params *to)
{
	struct text path = TEXT(to->script);

	text_add(&path, "%.*s", (int)strcspn(script, "?"), script);
	if (path.cut)
		return -EMSGSIZE;
	to->count = 0;
	to->list = calloc(OWN_MAX + count, sizeof(*to->list));
	if (!to->list)
		return -ENOMEM;
	set_body(to, body);
	set_own(to, script);
	for (size_t i = 0; i < count; i++) {
		char *equals = strchr(pairs[i], '=');

		*equals = '\0';
		set(to, pairs[i], equals + 1);
	}
	return 0;
}

void fcgi_params_done(struct fcgi_params *params)
{
	freep(&params->list);
	params->list = NULL;
}
