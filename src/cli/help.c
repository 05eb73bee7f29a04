#include <stdio.h>

#include "cli/command.h"

static void print_overview(void)
{
	puts("twinit - PID 1 of a PHP container: two PHP-FPM masters, rolled without losing a "
	     "request\n"
	     "\n"
	     "  twinit                        run, what ENTRYPOINT does; `twinit php-fpm` is the "
	     "same\n"
	     "  twinit [--] CMD [ARG...]      a plain init for any other command");
	for (size_t i = 0; commands[i]; i++) {
		char usage[64];

		snprintf(usage, sizeof(usage), "twinit %s %s", commands[i]->name,
		         commands[i]->arguments);
		printf("  %-29s %s\n", usage, commands[i]->summary);
	}
	puts("\n"
	     "Signals: HUP rolls (docker kill -s HUP), TERM and QUIT drain and stop, INT stops.\n"
	     "Configuration: /etc/twinit.conf or TWINIT_* variables; see the README.");
}

static int run_help(int argc, char *argv[])
{
	const struct command *command;

	if (argc > 2)
		return command_usage(&help_command, "too many arguments", "");
	if (argc == 1) {
		print_overview();
		return 0;
	}
	command = command_find(argv[1]);
	if (!command)
		return command_usage(&help_command, "no such command", argv[1]);
	printf("usage: twinit %s%s%s\n\n%s\n%s%s", command->name, command->arguments[0] ? " " : "",
	       command->arguments, command->summary, command->help[0] ? "\n" : "", command->help);
	return 0;
}

static int run_version(int argc, char *argv[])
{
	if (argc > 1)
		return command_usage(&version_command, "takes no argument:", argv[1]);
	puts("twinit " TWINIT_VERSION);
	return 0;
}

const struct command version_command = {
	.name = "version",
	.arguments = "",
	.summary = "print the version",
	.help = "",
	.run = run_version,
};

const struct command help_command = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "explain a command",
	.help = "",
	.run = run_help,
};
