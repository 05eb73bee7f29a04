/* Any bytes as a config file, then as variables: what is accepted keeps the promises of config.h.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#include "config/load.h"
#include "config/parse.h"

static void check_app(const struct app_config *app)
{
	assert(strnlen(app->name, NAME_SIZE) < NAME_SIZE && !strchr(app->name, '/'));
	assert(app->replicas >= 1 && app->replicas <= REPLICAS_MAX);
	assert(app->surge == SURGE_DEFAULT || app->surge <= app->replicas);
	assert(app->release[0] == '\0' || app->release[0] == '/');
	assert(app->docroot[0] != '/' || app->release[0] == '\0');
	assert(strcmp(app->docroot, "..") != 0 && !strstr(app->docroot, "/../"));
	assert(app->publish[0] == '\0' || (app->publish[0] == '/' && app->release[0] == '/'));
	assert(!app->read_only || app->release[0] == '/');
	assert(app->health[0] == '\0' || app->health[0] == '/');
	assert(app->start_timeout_ms > 0 && app->stop_timeout_ms > 0);
	assert(app->drain_timeout_ms > 0);
	assert(app->workers == WORKERS_SPLIT || app->workers == WORKERS_FULL);
}

static void check_words(const struct app_config *app)
{
	char path[2 * CONFIG_PATH_SIZE];

	config_site_root(app, path, sizeof(path));
	assert(path[0] == '\0' || path[0] == '/' || app->release[0] == '\0');
	assert(config_has_pages(app) == (app->health[0] || app->warm[0]));
}

static void check(const struct config *config)
{
	assert(config->app_count >= 1 && config->app_count <= APPS_MAX);
	assert(config->run_dir[0] != '\0');
	assert(isolation_name(config->isolation) && verify_name(config->sessions.verify));
	for (size_t i = 0; i < config->app_count; i++) {
		check_app(&config->apps[i]);
		check_words(&config->apps[i]);
	}
}

static void warn(const char *sentence)
{
	assert(strstr(sentence, "ignoring"));
}

/* The lines of the file as the environment, too: NAME=VALUE. */
static void load(const char *file, char *lines)
{
	char *environment[16] = { NULL };
	char error[CONFIG_ERROR_SIZE] = "";
	static struct config config;

	for (size_t i = 0; i < 15 && lines && *lines; i++)
		environment[i] = strsep(&lines, "\n");
	if (config_load(file, environment, &config, error, warn) == 0)
		check(&config);
	else
		assert(error[0] != '\0' && !strchr(error, '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[1 << 16], path[64];
	static int fd = -1;

	if (size >= sizeof(text))
		return 0;
	if (fd < 0) {
		fd = memfd_create("config", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	assert(fd >= 0 && ftruncate(fd, 0) == 0);
	assert(pwrite(fd, data, size, 0) == (ssize_t)size);
	memcpy(text, data, size);
	text[size] = '\0';

	load(path, (char[]){ "" });
	load("/dev/null", text);
	return 0;
}
