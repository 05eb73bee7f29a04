#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/child.h"
#include "question/program.h"
#include "question/reading.h"
#include "util/cleanup.h"

void fpm_info_telling_line(struct text *why, char *output)
{
	char *end = output + strlen(output);
	char *line = strstr(output, "ERROR: ");

	while (end > output && strchr(" \t\r\n", end[-1]))
		*--end = '\0';
	if (!line) {
		line = strrchr(output, '\n');
		line = line ? line + 1 : output;
	}
	line[strcspn(line, "\r\n")] = '\0';
	text_add_quoted(why, line);
}

/* Without OPcache, which would want a lock file. */
int fpm_info_read(struct reading *r)
{
	const char *const argv[] = { r->answer->php_fpm, "-d", "opcache.enable=0", "-i", NULL };
	int status = program_run(argv, -1, &r->info);

	if (status == 0 && strstr(r->info, "phpinfo()"))
		return 0;
	text_add_quoted(&r->why, r->answer->php_fpm);
	if (status < 0) {
		text_add(&r->why, " -i cannot be run: %s", child_trouble(status));
		return status;
	}
	text_add(&r->why, " -i, which prints PHP-FPM's settings, ended with status %d", status);
	if (status == 0) {
		text_add(&r->why, " and printed none; is it a PHP-FPM binary?");
	} else {
		text_add(&r->why, ": ");
		fpm_info_telling_line(&r->why, r->info);
	}
	return -EINVAL;
}

bool fpm_info_value(const char *info, const char *key, char *to, size_t size)
{
	size_t length = strlen(key);
	struct text text = text_init(to, size);

	for (const char *line = info; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) != 0 || !text_begins(line + length, " => "))
			continue;
		const char *value = line + length + strlen(" => ");
		const char *end = strstr(value, " => ");
		size_t whole = strcspn(value, "\n");

		text_add(&text, "%.*s",
		         (int)(end && end < value + whole ? (size_t)(end - value) : whole), value);
		return true;
	}
	return false;
}

/* Who may write there is seen when the masters start, as whom they run. */
static bool is_there(const char *path)
{
	return access(path, W_OK) == 0 || (errno != EROFS && errno != ENOENT);
}

/*
 * OPcache of PHP 8.2 cannot do without its lock file, and ends FPM with a line that does not say
 * where; later ones can.  Without preloading, which would run the site's code.
 */
int fpm_info_try_opcache(struct reading *r)
{
	const char *const argv[] = { r->answer->php_fpm, "-d", "opcache.preload=", "-i", NULL };
	char path[CONFIG_PATH_SIZE];
	_cleanup_free_ char *output = NULL;

	if (!fpm_info_value(r->info, "opcache.lockfile_path", path, sizeof(path)) || is_there(path))
		return 0;
	if (program_run(argv, -1, &output) <= 0)
		return 0;
	text_add(&r->why, "PHP cannot start: ");
	fpm_info_telling_line(&r->why, output);
	text_add(&r->why, "; OPcache writes to %s (opcache.lockfile_path): mount a tmpfs there",
	         path);
	return -EROFS;
}
