#include "session/choose.h"

#include <string.h>

const struct store_address *choose_store(const struct save_path *path, const char *id)
{
	uint32_t position = 0, total = 0;
	size_t i = path->count;

	for (size_t n = 0; n < path->count; n++)
		total += (uint32_t)path->stores[n].weight;
	memcpy(&position, id, strnlen(id, sizeof(position)));
	/* The parser refuses weights that add up to 2^32, but these came from another process. */
	position %= total > 0 ? total : 1;
	while (--i > 0 && position >= (uint32_t)path->stores[i].weight)
		position -= (uint32_t)path->stores[i].weight;
	return &path->stores[i];
}
