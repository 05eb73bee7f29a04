#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/order.h"
#include "util/text.h"

/* PID 1 has another working directory; a bare name may be meant for beside the active release. */
static int name_directory(const char *dir, struct wire_request *request)
{
	char here[PATH_MAX];
	struct text text = TEXT(request->directory);
	struct stat st;

	if (dir[0] != '/' && (strchr(dir, '/') || stat(dir, &st) == 0)) {
		if (!getcwd(here, sizeof(here))) {
			perror("twinit: cannot find the working directory");
			return EXIT_FAILURE;
		}
		text_add(&text, "%s/", here);
	}
	text_add(&text, "%s", dir);
	if (text.cut || dir[0] == '\0') {
		fprintf(stderr, "twinit: '%s' is no path of a release\n", dir);
		return EXIT_FAILURE;
	}
	return 0;
}

static int run(int argc, char *argv[])
{
	struct wire_request request = { .command = COMMAND_DEPLOY };
	const char *dir = NULL;
	int kept = 1;

	/* The first that is no option is the directory; the rest is like everywhere. */
	for (int i = 1; i < argc; i++) {
		if (!dir && argv[i][0] != '-')
			dir = argv[i];
		else
			argv[kept++] = argv[i];
	}
	if (!dir)
		return command_usage(&deploy_command, "which directory?", "");
	int r = order_parse(&deploy_command, kept, argv, false, true, &request);
	if (r == 0 && (request.all || request.replica != 0))
		r = command_usage(&deploy_command, "takes one app", "");
	if (r == 0)
		r = name_directory(dir, &request);
	return r != 0 ? r : order_follow(&request);
}

const struct command deploy_command = {
	.name = "deploy",
	.arguments = "[--no-wait] DIR [APP]",
	.summary = "point the release symlink at DIR and roll",
	.help = "DIR is a directory with a release, or the name of one beside the active\n"
		"release.  The symlink moves in one step.  When the roll is refused or fails, or\n"
		"the release is taken back inside `linger`, it names again what it did before.\n"
		"\n"
		"  --no-wait   return when the roll has been asked for\n"
		"\n"
		"Exit status: 0 only when DIR is what serves (with --no-wait: the roll has been\n"
		"asked for), 1 else, 64 usage, or no such app.\n"
		"\n"
		"Example: twinit deploy /srv/app/releases/42\n",
	.run = run,
};
