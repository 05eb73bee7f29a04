#include "session/advice.h"

#include <stdlib.h>
#include <string.h>

/* A prefix with other characters may be "app?auth=..." with a second ? where a & belongs. */
static void add_prefix(struct text *text, const char *prefix)
{
	bool plain = slice_consists_of(slice_of(prefix), "-_.:");

	text_add(text, "&prefix=%s", plain || !*prefix ? prefix : "PREFIX");
}

/* The database that the writer may have meant: database=2, db=2, or a path /2. */
static int database_meant(const struct store_address *store, const struct url *url,
                          const struct options *options)
{
	int number = options->database_meant;

	if (store->database >= 0)
		return store->database;
	if (number < 0 && url->host.start && url->path.length > 1 && url->path.length < 5 &&
	    slice_is_number((struct slice){ url->path.start + 1, url->path.length - 1 }))
		return (int)strtol(url->path.start + 1, NULL, 10);
	return number;
}

static bool user_meant(const struct store_address *store, const struct url *url,
                       const struct options *options)
{
	struct slice login = url->login;

	return store->user[0] || options->auth_count > 1 ||
	       (slice_has(login, ':') && login.start[0] != ':');
}

static void add_auth(struct text *text, const struct store_address *store, const struct url *url,
                     const struct options *options)
{
	if (user_meant(store, url, options))
		text_add(text, "&auth[]=USER&auth[]=PASSWORD");
	else if (options->secret_seen || url->login.start)
		text_add(text, "&auth=PASSWORD");
}

static void add_address(struct text *text, const struct store_address *store)
{
	if (store->port == 0)
		text_add(text, "unix://%s", store->host);
	else
		text_add(text, "%s://%s:%u", store->tls ? "tls" : "tcp", store->host, store->port);
}

void advice_add(struct text *text, const struct store_address *store, const struct url *url,
                const struct options *options)
{
	int database = database_meant(store, url, options);

	text_add(text, "\"");
	add_address(text, store);
	text_add(text, "?timeout=%g&read_timeout=%g",
	         store->timeout_set && store->timeout_s > 0 ? store->timeout_s : 2,
	         store->read_timeout_s > 0 ? store->read_timeout_s : 5);
	if (store->weight > 1)
		text_add(text, "&weight=%d", store->weight);
	if (store->persistent)
		text_add(text, "&persistent=1");
	if (database >= 0)
		text_add(text, "&database=%d", database);
	if (store->prefix_set)
		add_prefix(text, store->prefix);
	add_auth(text, store, url, options);
	text_add(text, "\"");
}
