/* Any bytes as session.save_path: what is read holds together, and no sentence shows a password. */
#include <errno.h>

#include "fuzz.h"

#include "session/choose.h"
#include "session/savepath.h"

enum {
	TEXT_MAX = 2048,
};

static void check_store(const struct store_address *store)
{
	assert(store->host[0]);
	assert(store->port != 0 || store->host[0] == '/');
	assert(store->weight > 0 && store->timeout_s > 0);
	assert(store->has_auth || (!store->user[0] && !store->password[0]));
	assert(!strpbrk(store->host, "\r\n\t ,"));
}

/* A password that begins with "zQ", where that is the only "zQ" in the text. */
static void check_secret(const char *text, const char *sentence)
{
	static const char secret[] = "auth=zQ";
	const char *at = strstr(text, secret);

	if (at && strstr(text, "zQ") == at + 5 && !strstr(at + 5 + 2, "zQ"))
		assert(!strstr(sentence, "zQ"));
}

static void check_whole(const char *text, const struct save_path *path)
{
	assert(path->count > 0 && path->count <= STORES_MAX);
	assert(strlen(path->trap) < sizeof(path->trap));
	for (size_t i = 0; i < path->count; i++)
		check_store(&path->stores[i]);
	check_secret(text, path->trap);
	/* A session, whatever its name, has one place. */
	const struct store_address *store = choose_store(path, text);
	assert(store >= path->stores && store < path->stores + path->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[TEXT_MAX + 1], why[256];
	struct save_path path;

	if (size > TEXT_MAX)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	int r = save_path_parse(text, &path, why, sizeof(why));

	if (r == 0) {
		check_whole(text, &path);
		return 0;
	}
	assert(r == -EINVAL);
	assert(why[0] && strlen(why) < sizeof(why));
	check_secret(text, why);
	return 0;
}
