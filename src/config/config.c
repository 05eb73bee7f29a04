#include "config/config.h"

#include "util/text.h"

const char *const isolation_words[] = { "auto", "namespace", "path", "none", NULL };
const char *const verify_words[] = { "auto", "required", "report", "off", NULL };

const char *isolation_name(enum isolation isolation)
{
	return isolation_words[isolation];
}

const char *verify_name(enum verify verify)
{
	return verify_words[verify];
}

void config_site_root(const struct app_config *app, char *to, size_t size)
{
	struct text text = text_init(to, size);

	text_add(&text, "%s%s%s", app->release, app->release[0] && app->docroot[0] ? "/" : "",
	         app->docroot);
}

bool config_has_pages(const struct app_config *app)
{
	return app->health[0] != '\0' || app->warm[0] != '\0';
}
