#include "question/private.h"

#include "util/text.h"

void private_name(size_t app, unsigned serial, unsigned pool, enum private_kind kind,
                  char name[PRIVATE_NAME_SIZE])
{
	struct text text = text_init(name, PRIVATE_NAME_SIZE);

	text_add(&text, "%zu-%u-%u.%c", app, serial, pool, kind);
}
