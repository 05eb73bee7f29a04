#include "cli/command.h"

#include <stdio.h>
#include <string.h>

const struct command *const commands[] = {
	&run_command,
	&status_command,
	&list_command,
	&ps_command,
	&metrics_command,
	&deploy_command,
	&rollback_command,
	&restart_command,
	&start_command,
	&stop_command,
	&health_command,
	&sessions_command,
	&check_command,
	&fcgi_command,
	&version_command,
	&help_command,
	NULL,
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

int command_usage(const struct command *command, const char *problem, const char *what)
{
	fprintf(stderr, "twinit %s: %s%s%s%s\n", command->name, problem, what[0] ? " '" : "", what,
	        what[0] ? "'" : "");
	fprintf(stderr, "usage: twinit %s%s%s\n", command->name, command->arguments[0] ? " " : "",
	        command->arguments);
	return USAGE_STATUS;
}
