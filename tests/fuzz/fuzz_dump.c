/*
 * Any bytes as the output of `php-fpm -tt`: taken apart, divided, written as an overlay.  No value
 * gets out of its line.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

#include "fpm/dump.h"
#include "fpm/overlay.h"
#include "fpm/settings.h"

static void assert_lines(char *text)
{
	char *rest = text;

	while (rest && *rest) {
		const char *line = strsep(&rest, "\n");

		assert(*line == '[' || strstr(line, " = "));
	}
}

static void write_overlay(const struct fpm_dump *dump, const struct fpm_settings *settings,
                          const char *info, const struct overlay_pin *pin, bool pages)
{
	const char *listen[POOLS_MAX];
	struct overlay overlay = {
		.fpm_config = "/etc/php/fpm.conf",
		.pid_file = "/run/x.pid",
		.error_log = "/proc/self/fd/2",
		.listen = listen,
		.shares = settings,
		.as_pool_user = pages,
		.process_control_timeout_ms = 1500,
		.pages = pages,
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

/* What each replica gets is nothing that the whole has not, and each pool keeps a worker. */
static void check_shares(const struct fpm_settings *settings)
{
	unsigned sum = 0;

	for (unsigned index = 0; index < 3; index++) {
		struct fpm_settings share = fpm_settings_share(settings, 3, index);

		assert(share.pool_count == settings->pool_count);
		assert(share.process_max <= settings->process_max);
		for (unsigned i = 0; i < share.pool_count; i++)
			assert(share.pools[i].max_children > 0 &&
			       share.pools[i].max_children <= settings->pools[i].max_children);
		sum += share.process_max;
	}
	assert(sum >= settings->process_max);
}

/* What FPM is asked with first is the same for every configuration. */
static void write_question(const char *path)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert(out);
	int r = overlay_write_dump(out, path);
	fclose(out);
	assert((r == 0) == !strchr(path, '\n'));
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
	assert(pm_name(settings.pools[0].pm)[0]);
	check_shares(&settings);
	write_question(settings.pools[0].name);
	write_question(info);
	for (unsigned i = 0; i < settings.pool_count; i++) {
		struct fpm_pool *pool = &settings.pools[i];

		(void)!fpm_dump_php_setting(dump, info, pool->name, "session.save_path", value,
		                            sizeof(value));
		*pool = fpm_pool_share(pool, 3, i % 3);
		assert(pool->max_children > 0);
	}
	write_overlay(dump, &settings, info, NULL, true);
	write_overlay(dump, &settings, info, &pin, false);
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
