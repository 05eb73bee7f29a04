#include "session/where.h"

#include <string.h>

void where_add(struct text *text, const struct store_address *store)
{
	if (store->port == 0)
		text_add(text, "%s", store->host);
	else
		text_add(text, strchr(store->host, ':') ? "[%s]:%u" : "%s:%u", store->host,
		         store->port);
}
