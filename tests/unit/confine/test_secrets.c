#include "../util/forked.h"
#include "../util/scratch.h"
#include "confine/secrets.h"

enum { MOST = 64 * 1024 };

/* clang-format off */
static const struct row {
	const char *says, *names;
	const char *file;  /* what it holds; NULL: it is not there */
	const char *token; /* TOKEN afterwards; NULL: the secrets are refused */
	bool file_set, token_set;
} rows[] = {
	{ "a secret",                          "TOKEN",    "s3cret",    "s3cret",    true,  false },
	{ "its last newline is not part of it", "TOKEN",   "s3cret\n",  "s3cret",    true,  false },
	{ "only the last one",                 "TOKEN",    "a\n\nb\n\n", "a\n\nb\n", true,  false },
	{ "an empty one",                      "TOKEN",    "",          "",          true,  false },
	{ "the file wins",                     "TOKEN",    "new",       "new",       true,  true  },
	{ "a variable alone stays",            "TOKEN",    "new",       "old",       false, true  },
	{ "names with blanks around",          "  TOKEN  ", "s3cret",   "s3cret",    true,  false },
	{ "nothing is asked for",              "",         "new",       "old",       true,  true  },
	{ "neither file nor variable",         "TOKEN",    "s3cret",    NULL,        false, false },
	{ "a file that is not there",          "TOKEN",    NULL,        NULL,        true,  true  },
	{ "the second of two is missing",      "TOKEN NONE", "s3cret",  NULL,        true,  false },
};
/* clang-format on */

static void load(void *context)
{
	const struct row *row = context;
	const char *path = at("%s/token", scratch_root);
	char why[256] = "";

	(void)unlink(path);
	if (row->file)
		scratch_file(path, row->file);
	clearenv();
	if (row->file_set)
		setenv("TOKEN_FILE", path, 1);
	if (row->token_set)
		setenv("TOKEN", "old", 1);
	int r = secrets_load(row->names, why, sizeof(why));
	CHECK((r == 0) == (row->token != NULL));
	if (row->token) {
		CHECK(getenv("TOKEN") && strcmp(getenv("TOKEN"), row->token) == 0);
	} else {
		CHECK(r == -ENOENT);
		CHECK(strncmp(why, "secrets: ", 9) == 0);
		CHECK(!strstr(why, "s3cret"));
	}
}

static void test_each_row(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		in_child_row(rows[i].says, load, (void *)&rows[i]);
}

static void load_binary(void *context)
{
	char why[256] = "";
	int fd = open(at("%s/binary", scratch_root), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)context;
	CHECK(write(fd, "a\0b", 3) == 3);
	setenv("TOKEN_FILE", at("%s/binary", scratch_root), 1);
	CHECK(secrets_load("TOKEN", why, sizeof(why)) == -EILSEQ);
}

static void test_a_secret_with_a_nul_is_refused(void **state)
{
	(void)state;
	in_child(load_binary, NULL);
}

/* Half a key is worse than none. */
static void load_much(void *context)
{
	static char much[MOST + 1];
	char why[256] = "";

	(void)context;
	memset(much, 'x', sizeof(much) - 1);
	scratch_file(at("%s/much", scratch_root), much);
	setenv("TOKEN_FILE", at("%s/much", scratch_root), 1);
	CHECK(secrets_load("TOKEN", why, sizeof(why)) < 0 ||
	      strlen(getenv("TOKEN")) == sizeof(much) - 1);
}

static void test_a_secret_is_never_cut(void **state)
{
	(void)state;
	in_child(load_much, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_row),
		TEST(test_a_secret_with_a_nul_is_refused),
		TEST(test_a_secret_is_never_cut),
	};

	return cmocka_run_group_tests_name("confine/secrets", tests, scratch_begin, scratch_end);
}
