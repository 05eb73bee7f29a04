#include "config/supported.h"

#include <stddef.h>

const char *config_unsupported(const struct config *config)
{
	return config->on_event[0] != '\0' ? "on_event" : NULL;
}
