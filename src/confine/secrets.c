#include "confine/secrets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/fs.h"
#include "util/text.h"

enum { NAME_SIZE_MAX = 256, SECRET_SIZE = 64 * 1024 };

static void drop_newline(char *text)
{
	size_t length = strlen(text);

	if (length > 0 && text[length - 1] == '\n')
		text[length - 1] = '\0';
}

static int load(const char *name, const char *path, struct text *why)
{
	static char secret[SECRET_SIZE];
	ssize_t n = read_file(path, secret, sizeof(secret));

	if (n == (ssize_t)sizeof(secret) - 1)
		n = -E2BIG; /* there may be more of it */
	if (n >= 0 && strlen(secret) != (size_t)n)
		n = -EILSEQ; /* an environment variable cannot hold a NUL */
	if (n < 0) {
		text_add(why, "secrets: cannot read %s_FILE=%s: %s", name, path, strerror((int)-n));
		return (int)n;
	}
	drop_newline(secret);
	return setenv(name, secret, 1) < 0 ? -errno : 0;
}

static int load_one(const char *name, struct text *why)
{
	char variable[NAME_SIZE_MAX];
	struct text text = TEXT(variable);

	text_add(&text, "%s_FILE", name);
	const char *path = text.cut ? NULL : getenv(variable);
	if (path)
		return load(name, path, why);
	if (getenv(name))
		return 0;
	text_add(why, "secrets: neither %s_FILE nor %s is set", name, name);
	return -ENOENT;
}

int secrets_load(const char *names, char *why, size_t why_size)
{
	struct text sentence = text_init(why, why_size);
	char name[NAME_SIZE_MAX];
	int r = 0;

	while (r >= 0 && *(names += strspn(names, " \t,")) != '\0') {
		size_t length = strcspn(names, " \t,");
		struct text text = TEXT(name);

		text_add(&text, "%.*s", (int)length, names);
		r = load_one(name, &sentence);
		names += length;
	}
	return r;
}
