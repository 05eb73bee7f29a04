#include <stdio.h>

#include "cli/command.h"

enum { SUMMARY_COLUMN = 33 };

/* What is too long for its column has the line to itself. */
static void print_row(const char *name, const char *arguments, const char *summary)
{
	int width = printf("  twinit%s%s%s%s", name[0] ? " " : "", name, arguments[0] ? " " : "",
	                   arguments);

	if (width >= SUMMARY_COLUMN) {
		putchar('\n');
		width = 0;
	}
	printf("%*s%s\n", SUMMARY_COLUMN - width, "", summary);
}

static void print_overview(void)
{
	puts("twinit - PID 1 of a PHP container: two PHP-FPM masters, rolled without losing\n"
	     "a request\n");
	print_row("", "", "run the apps; `twinit php-fpm` is the same");
	print_row("", "[--] CMD [ARG...]", "a plain init for any other command");
	for (size_t i = 0; commands[i]; i++)
		print_row(commands[i]->name, commands[i]->arguments, commands[i]->summary);
	puts("\n"
	     "twinit help COMMAND has the options, the exit statuses and an example.\n"
	     "Signals: HUP rolls, TERM and QUIT drain and stop, INT stops at once.\n"
	     "Configuration: /etc/twinit.conf or TWINIT_* variables; see twinit.conf(5).");
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
	.help = "Exit status: 0, or 64 usage.\n"
		"\n"
		"Example: twinit version\n",
	.run = run_version,
};

const struct command help_command = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "explain a command",
	.help = "Without one, the list of them.\n"
		"\n"
		"Exit status: 0, or 64 no such command.\n"
		"\n"
		"Example: twinit help deploy\n",
	.run = run_help,
};
