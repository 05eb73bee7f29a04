#include "cli/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "config/hook.h"
#include "config/load.h"
#include "init/plain.h"
#include "init/supervisor.h"
#include "question/program.h"
#include "util/log.h"
#include "util/text.h"

static struct config config;

/* Also when the configuration is wrong: then by as much of it as was read. */
static void use_log_format(void)
{
	const char *asked = getenv("TWINIT_LOG_FORMAT");
	bool text = asked && strcmp(asked, "text") == 0;
	bool json = asked && strcmp(asked, "json") == 0;

	if (json || (config.log_format == LOG_FORMAT_JSON && !text))
		log_use_json();
}

static void warn(const char *sentence)
{
	use_log_format();
	log_write(NOTICE_VARIABLE_IGNORED, "", "%s", sentence);
}

static bool load(const char *file)
{
	char error[CONFIG_ERROR_SIZE];
	bool usable = config_load(file, environ, &config, error, warn) >= 0 &&
	              hook_check(&config, error, sizeof(error)) >= 0;

	use_log_format();
	if (!usable)
		log_write(NOTICE_CONFIG_REFUSED, "", "%s", error);
	return usable;
}

static int run(int argc, char *argv[])
{
	const char *file = getenv("TWINIT_CONFIG");

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			file = argv[++i];
		else if (strcmp(argv[i], "--config") == 0)
			return command_usage(&run_command, "--config needs a file", "");
		else
			return command_usage(&run_command, "unexpected argument", argv[i]);
	}
	return load(file) ? supervisor_run(file, &config) : CONFIG_STATUS;
}

/* --- an inherited CMD --- */

static bool is_fpm_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return text_begins(slash ? slash + 1 : path, "php-fpm");
}

static bool takes_file(const char *argument)
{
	return strcmp(argument, "-y") == 0 || strcmp(argument, "--fpm-config") == 0;
}

static bool is_harmless(const char *argument)
{
	return strcmp(argument, "-F") == 0 || strcmp(argument, "--nodaemonize") == 0 ||
	       strcmp(argument, "-O") == 0 || strcmp(argument, "--force-stderr") == 0;
}

/* With any other option (-v, -t, -i) somebody wants FPM itself, not a site. */
bool run_is_fpm(int argc, char *argv[])
{
	if (!is_fpm_name(argv[0]))
		return false;
	for (int i = 1; i < argc; i++) {
		if (takes_file(argv[i]) && i + 1 < argc)
			i++;
		else if (!is_harmless(argv[i]))
			return false;
	}
	return true;
}

/* By the environment, so that a roll, which reads all again, comes to the same. */
bool run_take_fpm(int argc, char *argv[])
{
	const char *fpm_config = "";

	for (int i = 1; i + 1 < argc; i++)
		if (takes_file(argv[i]))
			fpm_config = argv[i + 1];
	return setenv("TWINIT_APP_PHP_FPM", argv[0], 1) == 0 &&
	       (!*fpm_config || setenv("TWINIT_APP_FPM_CONFIG", fpm_config, 1) == 0);
}

int run_fpm(int argc, char *argv[])
{
	const char *file = getenv("TWINIT_CONFIG");

	if (!run_take_fpm(argc, argv))
		return CONFIG_STATUS;
	return load(file) ? supervisor_run(file, &config) : CONFIG_STATUS;
}

/* Its configuration says where to answer; whatever is wrong with it, the command runs. */
int run_plain(char *argv[])
{
	char error[CONFIG_ERROR_SIZE];
	static char path[CONFIG_PATH_SIZE];

	/* `twinit php-fpm -v` where the binary is called php-fpm8.2. */
	if (is_fpm_name(argv[0]) && program_find_fpm(argv[0], path, sizeof(path)) >= 0)
		argv[0] = path;
	bool usable = config_load(getenv("TWINIT_CONFIG"), environ, &config, error, NULL) >= 0;

	use_log_format();
	return plain_run(usable ? &config : NULL, argv);
}

const struct command run_command = {
	.name = "run",
	.arguments = "[--config FILE]",
	.summary = "run the apps, as twinit without arguments does",
	.help = "  --config FILE   read FILE in the place of /etc/twinit.conf\n"
		"\n"
		"Exit status: 0 stopped as asked, 64 usage, 69 session store unavailable at the\n"
		"start, 70 replicas keep crashing, 78 configuration.\n"
		"\n"
		"Example: twinit run --config /srv/twinit.conf\n",
	.run = run,
};
