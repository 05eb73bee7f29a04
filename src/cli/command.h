/* command.h - the subcommands of twinit: a row each. */
#pragma once

#include <stddef.h>

enum {
	USAGE_STATUS = 64,  /* of a command that is asked for wrongly */
	CONFIG_STATUS = 78, /* of one that cannot use the configuration */
};

struct command {
	const char *name;
	const char *arguments;              /* as the usage shows them */
	const char *summary;                /* one line */
	const char *help;                   /* the rest of `twinit help NAME` */
	int (*run)(int argc, char *argv[]); /* argv[0] is the name; returns the exit status */
};

extern const struct command run_command;
extern const struct command status_command;
extern const struct command list_command;
extern const struct command ps_command;
extern const struct command metrics_command;
extern const struct command deploy_command;
extern const struct command rollback_command;
extern const struct command restart_command;
extern const struct command start_command;
extern const struct command stop_command;
extern const struct command health_command;
extern const struct command sessions_command;
extern const struct command check_command;
extern const struct command fcgi_command;
extern const struct command version_command;
extern const struct command help_command;

/* All of them, in the order of the help text; NULL ends them. */
extern const struct command *const commands[];

/* The command called @name, or NULL. */
const struct command *command_find(const char *name);

/* Say on stderr how @command is used, after @problem.  Returns the exit status for that. */
int command_usage(const struct command *command, const char *problem, const char *what);
