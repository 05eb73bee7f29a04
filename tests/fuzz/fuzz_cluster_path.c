/* Any bytes as session.save_path of rediscluster: seeds hold together, no sentence shows a
 * password. */
#include <errno.h>

#include "fuzz.h"

#include "session/cluster_path.h"

enum {
	TEXT_MAX = 2048,
};

static void check_seed(const struct store_address *seed)
{
	assert(seed->host[0] && seed->port != 0);
	assert(seed->database < 0 && seed->weight > 0);
	assert(seed->timeout_s >= 0 && seed->read_timeout_s >= 0);
	assert(seed->has_auth || (!seed->user[0] && !seed->password[0]));
	assert(!strpbrk(seed->host, "\r\n\t ,/"));
}

/* A password that begins with "zQ", where that is the only "zQ" in the text. */
static void check_secret(const char *text, const char *sentence)
{
	static const char secret[] = "auth=zQ";
	const char *at = strstr(text, secret);

	if (at && strstr(text, "zQ") == at + 5 && !strstr(at + 5 + 2, "zQ"))
		assert(!strstr(sentence, "zQ"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[TEXT_MAX + 1], why[256];
	struct save_path path;

	if (size > TEXT_MAX)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	int r = cluster_path_parse(text, &path, why, sizeof(why));
	if (r == 0) {
		assert(path.count > 0 && path.count <= STORES_MAX);
		for (size_t i = 0; i < path.count; i++)
			check_seed(&path.stores[i]);
		check_secret(text, path.trap);
		return 0;
	}
	assert(r == -EINVAL);
	assert(why[0] && strlen(why) < sizeof(why));
	check_secret(text, why);
	return 0;
}
