/* main.c - arguments to command to exit status. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/run.h"

static int usage(const char *problem, const char *what)
{
	fprintf(stderr, "twinit: %s '%s'; see twinit help\n", problem, what);
	return USAGE_STATUS;
}

static int without_command(const char *first)
{
	if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
		return help_command.run(1, (char *[]){ "help", NULL });
	if (strcmp(first, "--version") == 0)
		return version_command.run(1, (char *[]){ "version", NULL });
	return usage("unknown option", first);
}

int main(int argc, char *argv[])
{
	const struct command *command;

	if (argc < 2)
		return run_command.run(1, (char *[]){ "run", NULL });
	if (strcmp(argv[1], "--") == 0)
		return argc > 2 ? run_plain(argv + 2) : usage("a command is missing after", "--");
	command = command_find(argv[1]);
	if (command)
		return command->run(argc - 1, argv + 1);
	if (argv[1][0] == '-')
		return without_command(argv[1]);
	if (run_is_fpm(argc - 1, argv + 1))
		return run_fpm(argc - 1, argv + 1);
	return run_plain(argv + 1);
}
