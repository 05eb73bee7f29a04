#include "control/wire.h"

#include "util/macros.h"

bool wire_stops_container(const struct wire_request *request)
{
	return !request->all && request->app[0] == '\0' && request->replica == 0;
}

size_t wire_reply_size(enum wire_kind kind)
{
	static const size_t sizes[] = {
		[WIRE_NEWS] = sizeof(struct news),
		[WIRE_CONTAINER] = sizeof(struct wire_container),
		[WIRE_APP] = sizeof(struct wire_app),
		[WIRE_REPLICA] = sizeof(struct wire_replica),
		[WIRE_POOL] = sizeof(struct wire_pool),
		[WIRE_SESSIONS] = sizeof(struct wire_sessions),
		[WIRE_END] = sizeof(struct wire_end),
	};
	_Static_assert(ARRAY_SIZE(sizes) == WIRE_KIND_COUNT, "a kind has no size");

	return offsetof(struct wire_reply, news) + sizes[kind];
}
