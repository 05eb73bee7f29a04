/*
 * Any bytes as the output of `php-fpm -tt`: taken apart, divided, written as an overlay.  No value
 * gets out of its line.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fpm/dump.h"
#include "fpm/overlay.h"
#include "fpm/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_lines(char *text)
{
	char *rest = text;

	while (rest && *rest) {
		const char *line = strsep(&rest, "\n");

		assert(*line == '[' || strstr(line, " = "));
	}
}

static void write_overlay(const struct fpm_dump *dump, const struct fpm_settings *settings,
                          const char *info, const struct overlay_pin *pin)
{
	const char *listen[POOLS_MAX];
	struct overlay overlay = {
		.fpm_config = "/etc/php/fpm.conf",
		.pid_file = "/run/x.pid",
		.error_log = "/proc/self/fd/2",
		.listen = listen,
		.shares = settings,
		.pin = pin,
	};
	char why[256], *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert(out);
	for (unsigned i = 0; i < settings->pool_count; i++)
		listen[i] = settings->pools[i].listen;
	int r = overlay_write(out, &overlay, dump, info, why, sizeof(why));
	fclose(out);
	assert(strlen(text) == size);
	assert(r == 0 || why[0] != '\0');
	assert_lines(text);
	free(text);
}

static void use(const struct fpm_dump *dump, const char *info)
{
	static const struct overlay_pin pin = { "/l", "/release", "public", "/p.php" };
	struct fpm_settings settings;
	char why[256], value[64];

	if (fpm_settings_from_dump(dump, &settings, why, sizeof(why)) < 0) {
		assert(why[0] != '\0');
		return;
	}
	assert(settings.pool_count > 0 && settings.pool_count <= POOLS_MAX);
	for (unsigned i = 0; i < settings.pool_count; i++) {
		struct fpm_pool *pool = &settings.pools[i];

		(void)!fpm_dump_php_setting(dump, info, pool->name, "session.save_path", value,
		                            sizeof(value));
		*pool = fpm_pool_share(pool, 3, i % 3);
		assert(pool->max_children > 0);
	}
	write_overlay(dump, &settings, info, NULL);
	write_overlay(dump, &settings, info, &pin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	char *info = strdup(text);
	struct fpm_dump dump;

	if (fpm_dump_parse(text, &dump) == 0) {
		use(&dump, info);
		fpm_dump_done(&dump);
	}
	free(info);
	free(text);
	return 0;
}
