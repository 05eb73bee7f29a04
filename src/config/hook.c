#include "config/hook.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/text.h"

static const char *fault_of_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "it is no file";
	return access(path, X_OK) < 0 ? "it cannot be executed; try chmod +x" : NULL;
}

int hook_check(const struct config *config, char *error, size_t size)
{
	struct text sentence = text_init(error, size);
	char path[CONFIG_PATH_SIZE];
	struct text text = TEXT(path);

	text_add(&text, "%.*s", (int)strcspn(config->on_event, " \t"), config->on_event);
	const char *fault = path[0] == '\0' ? NULL : fault_of_program(path);
	if (!fault)
		return 0;
	if (config->on_event_line > 0)
		text_add(&sentence, "%s:%d: on_event: ", config->file, config->on_event_line);
	else
		text_add(&sentence, ON_EVENT_VARIABLE ": ");
	text_add_quoted(&sentence, path);
	text_add(&sentence, ": %s", fault);
	return -EINVAL;
}
