/*
 * read-savepath: what session/savepath.h makes of save paths, for tests that compare it with
 * phpredis.
 *
 * Reads save paths from stdin, each ended by a NUL.  Writes for each one the fields below, each
 * ended by a NUL: for every store "store", tcp|tls|unix, host, port, user, password, auth|none,
 * database, prefix, weight; then "read" and the trap, or instead of all that "refused" and why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/cluster_path.h"
#include "session/savepath.h"

static void put(const char *field)
{
	printf("%s%c", field, '\0');
}

static void put_number(int number)
{
	printf("%d%c", number, '\0');
}

static void put_store(const struct store_address *store)
{
	put("store");
	put(store->port == 0 ? "unix" : store->tls ? "tls" : "tcp");
	put(store->host);
	put_number(store->port);
	put(store->user);
	put(store->password);
	put(store->has_auth ? "auth" : "none");
	put_number(store->database);
	put(store->prefix);
	put_number(store->weight);
}

static void answer(const char *handler, const char *text)
{
	char why[SAVE_PATH_TRAP_SIZE] = "";
	struct save_path path;
	int r = strcmp(handler, "rediscluster") == 0
	                ? cluster_path_parse(text, &path, why, sizeof(why))
	                : save_path_parse(text, &path, why, sizeof(why));

	if (r < 0) {
		put("refused");
		put(why);
		return;
	}
	for (size_t i = 0; i < path.count; i++)
		put_store(&path.stores[i]);
	put("read");
	put(path.trap);
}

int main(int argc, char **argv)
{
	char *text = NULL;
	size_t size = 0;

	while (argc == 2 && getdelim(&text, &size, '\0', stdin) > 0)
		answer(argv[1], text);
	free(text);
	return argc == 2 && fflush(stdout) == 0 ? 0 : 1;
}
