#include "fpm/scripts.h"

#include <stdbool.h>
#include <string.h>

#include "util/text.h"

/* The string behind @at, as far as @end and @to of @room bytes go; FPM may write a slash as "\/".
 */
static void read_string(const char *at, const char *end, char *to, size_t room)
{
	size_t length = 0;

	for (; at < end && *at != '"' && length + 1 < room; at++) {
		if (*at == '\\' && ++at == end)
			break;
		to[length++] = *at;
	}
	to[length] = '\0';
}

static bool is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* Within a string a quote has a backslash before it, so that nobody's URI looks like the key. */
void fpm_scripts_add(struct fpm_scripts *scripts, const char *body, size_t size, const char *below)
{
	static const char key[] = "\"script\":\"";
	const char *end = body + size;
	char path[4096];

	for (const char *at = body; (at = memmem(at, (size_t)(end - at), key, strlen(key)));) {
		at += strlen(key);
		read_string(at, end, path, sizeof(path));
		if (path[0] != '/')
			continue;
		scripts->seen++;
		if (is_below(path, below))
			scripts->through++;
		else
			text_copy_cut(scripts->example, sizeof(scripts->example), path);
	}
}
