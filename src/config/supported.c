#include "config/supported.h"

#include <stddef.h>

static const char *unsupported_in_app(const struct app_config *app)
{
	if (app->health[0] != '\0')
		return "health";
	if (app->warm[0] != '\0')
		return "warm";
	return app->linger_ms != 0 ? "linger" : NULL;
}

const char *config_unsupported(const struct config *config)
{
	const char *key = config->on_event[0] != '\0' ? "on_event" : NULL;

	for (size_t i = 0; !key && i < config->app_count; i++)
		key = unsupported_in_app(&config->apps[i]);
	return key;
}
