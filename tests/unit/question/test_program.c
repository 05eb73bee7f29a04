#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../util/scratch.h"
#include "question/program.h"
#include "util/cleanup.h"

enum { MOST = 16 * 1024 * 1024 };

/* --- finding FPM --- */

static char dir[SCRATCH_PATH_SIZE];

static void make_program(const char *path, mode_t mode)
{
	scratch_file(path, "#!/bin/sh\n");
	assert_int_equal(chmod(path, mode), 0);
}

/* clang-format off */
static const struct {
	const char *says;
	const char *programs[4]; /* that are made, below the directory */
	const char *path;        /* PATH, with directories a and b below %1$s */
	const char *name;
	const char *found;       /* below the directory; NULL: nothing */
} searches[] = {
	{ "in PATH",                          { "a/php-fpm" },               "%1$s/a",        "php-fpm",    "a/php-fpm"    },
	{ "the first in PATH wins",           { "a/php-fpm", "b/php-fpm" },  "%1$s/b:%1$s/a", "php-fpm",    "b/php-fpm"    },
	{ "another name",                     { "a/my-fpm" },                "%1$s/a",        "my-fpm",     "a/my-fpm"     },
	{ "another name has no version",      { "a/my-fpm8.4" },             "%1$s/a",        "my-fpm",     NULL           },
	{ "Debian's name",                    { "a/php-fpm9.8" },            "%1$s/a",        "php-fpm",    "a/php-fpm9.8" },
	{ "Alpine's name",                    { "a/php-fpm98" },             "%1$s/a",        "php-fpm",    "a/php-fpm98"  },
	{ "the highest version",              { "a/php-fpm9.7", "b/php-fpm9.8" }, "%1$s/a:%1$s/b", "php-fpm", "b/php-fpm9.8" },
	{ "the plain name before a version",  { "b/php-fpm", "a/php-fpm9.8" }, "%1$s/a:%1$s/b", "php-fpm",   "b/php-fpm"    },
	{ "a name with its version",          { "a/php-fpm9.8", "a/php-fpm9.7" }, "%1$s/a",   "php-fpm9.7", "a/php-fpm9.7" },
	{ "empty parts of PATH are nothing",  { "a/my-fpm" },                "::%1$s/a:",     "my-fpm",     "a/my-fpm"     },
	{ "the current directory is not searched", { "my-fpm" },             "::",            "my-fpm",     NULL           },
	{ "a directory is no program",        { "a/my-fpm/", "b/my-fpm" },   "%1$s/a:%1$s/b", "my-fpm",     "b/my-fpm"     },
	{ "a file without x is no program",   { "a/my-fpm-", "b/my-fpm" },   "%1$s/a:%1$s/b", "my-fpm",     "b/my-fpm"     },
	{ "nothing",                          { NULL },                      "%1$s/a",        "my-fpm",     NULL           },
};
/* clang-format on */

/* "x/": a directory, "x-": a file that cannot be executed. */
static void make_one(const char *name)
{
	char path[2 * SCRATCH_PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	size_t length = strlen(path) - 1;
	if (path[length] == '/') {
		assert_int_equal(mkdir(path, 0755), 0);
	} else if (path[length] == '-') {
		path[length] = '\0';
		make_program(path, 0644);
	} else {
		make_program(path, 0755);
	}
}

static void test_each_search(void **state)
{
	char *before = getenv("PATH");
	char saved[4096];

	(void)state;
	snprintf(saved, sizeof(saved), "%s", before ? before : "");
	for (size_t i = 0; i < ARRAY_SIZE(searches); i++) {
		char found[SCRATCH_PATH_SIZE] = "", list[SCRATCH_PATH_SIZE * 2];

		scratch_dir(dir);
		assert_int_equal(mkdir(at("%s/a", dir), 0755), 0);
		assert_int_equal(mkdir(at("%s/b", dir), 0755), 0);
		for (size_t j = 0; j < ARRAY_SIZE(searches[i].programs); j++)
			if (searches[i].programs[j])
				make_one(searches[i].programs[j]);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		snprintf(list, sizeof(list), searches[i].path, dir);
#pragma GCC diagnostic pop
		setenv("PATH", list, 1);
		assert_int_equal(chdir(dir), 0);
		int r = program_find_fpm(searches[i].name, found, sizeof(found));
		assert_int_equal(chdir("/"), 0);
		setenv("PATH", saved, 1);
		if (r != (searches[i].found ? 0 : -ENOENT) ||
		    (r == 0 && strcmp(found, at("%s/%s", dir, searches[i].found)) != 0))
			fail_msg("%s: got %d, %s", searches[i].says, r, found);
	}
}

static void test_a_path_is_taken_as_it_is(void **state)
{
	char found[SCRATCH_PATH_SIZE];

	(void)state;
	scratch_dir(dir);
	make_program(at("%s/fpm", dir), 0755);
	make_program(at("%s/text", dir), 0644);
	assert_int_equal(program_find_fpm(at("%s/fpm", dir), found, sizeof(found)), 0);
	assert_string_equal(found, at("%s/fpm", dir));
	assert_int_equal(program_find_fpm(at("%s/fpm", dir), found, 10), -ENOENT);
	assert_int_equal(program_find_fpm(at("%s/text", dir), found, sizeof(found)), -ENOENT);
	assert_int_equal(program_find_fpm(at("%s/none", dir), found, sizeof(found)), -ENOENT);
	assert_int_equal(program_find_fpm(dir, found, sizeof(found)), -ENOENT);
}

static void test_without_path_the_usual_directories_are_searched(void **state)
{
	char found[SCRATCH_PATH_SIZE], saved[4096];

	(void)state;
	snprintf(saved, sizeof(saved), "%s", getenv("PATH") ? getenv("PATH") : "");
	unsetenv("PATH");
	int r = program_find_fpm("sh", found, sizeof(found));
	setenv("PATH", saved, 1);
	assert_int_equal(r, 0);
	assert_non_null(strstr(found, "/bin/sh"));
}

/* --- running it --- */

/* clang-format off */
static const struct {
	const char *says, *script;
	int status;
	const char *output;
} runs[] = {
	{ "success",                       "exit 0",                          0,   ""           },
	{ "an exit status",                "exit 78",                         78,  ""           },
	{ "a signal",                      "kill -TERM $$",                   143, ""           },
	{ "SIGKILL after some output",     "echo said; kill -KILL $$",        137, "said\n"     },
	{ "both outputs, in their order",  "echo a; echo b >&2; echo c",      0,   "a\nb\nc\n"  },
	{ "an empty standard input",       "cat; echo end",                   0,   "end\n"      },
	{ "output of its children",        "(echo child); echo $?",           0,   "child\n0\n" },
	{ "a program that is not there",   NULL,                              127, ""           },
};
/* clang-format on */

static void test_each_run(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		const char *const argv[] = { runs[i].script ? "/bin/sh" : "/nowhere/sh", "-c",
			                     runs[i].script, NULL };
		_cleanup_free_ char *output = NULL;
		int status = program_run(argv, -1, &output);

		if (status != runs[i].status || strcmp(output, runs[i].output) != 0)
			fail_msg("%s: got %d, '%s'", runs[i].says, status, output);
	}
}

static void run_with_config(int number)
{
	static const char *const argv[] = { "/bin/sh", "-c", "cat <&3", NULL };
	_cleanup_free_ char *output = NULL;
	int config = memfd_create("config", MFD_CLOEXEC);
	int placed = config == number ? config : dup3(config, number, O_CLOEXEC);

	assert_int_equal(write(config, "[www]", 5), 5);
	assert_int_equal(lseek(config, 0, SEEK_SET), 0);
	assert_int_equal(program_run(argv, placed, &output), 0);
	assert_string_equal(output, "[www]");
	close(placed);
	if (placed != config)
		close(config);
}

static void test_its_configuration_is_descriptor_3(void **state)
{
	(void)state;
	run_with_config(60);
	run_with_config(61);
}

/* dup2() onto itself would leave close-on-exec set. */
static void test_also_when_it_was_that_already(void **state)
{
	(void)state;
	if (fcntl(3, F_GETFD) >= 0)
		skip(); /* somebody left it open for us */
	run_with_config(3);
}

static void test_a_log_is_neither_written_nor_made(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "echo line >>\"$0\" && echo went on",
		                     at("%s/log", dir), NULL };
	_cleanup_free_ char *output = NULL;

	(void)state;
	scratch_dir(dir);
	assert_int_equal(program_run(argv, -1, &output), 0);
	assert_string_equal(output, "went on\n");
	assert_int_equal(scratch_count(dir), 0);
}

static void test_output_has_a_limit(void **state)
{
	static const char *const argv[] = { "/bin/sh", "-c", "exec head -c 20000000 /dev/zero",
		                            NULL };
	_cleanup_free_ char *output = NULL;
	int status = program_run(argv, -1, &output);

	(void)state;
	/* By SIGXFSZ, or an error where somebody ignores it. */
	assert_int_not_equal(status, 0);
	assert_int_equal(output[MOST - 1], '\0');
}

/* Each waits for the other's word, which neither could give if they ran one after the other. */
static void test_two_run_at_once(void **state)
{
	static const char *const first[] = { "/bin/sh", "-c", "echo a >&3; read w <&3; echo $w",
		                             NULL };
	static const char *const second[] = { "/bin/sh", "-c", "read w <&3; echo $w; echo b >&3",
		                              NULL };
	struct program one, other;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(program_begin(&one, first, pair[0]), 0);
	assert_int_equal(program_begin(&other, second, pair[1]), 0);
	_cleanup_free_ char *said = NULL, *answered = NULL;
	assert_int_equal(program_end(&one, &said), 0);
	assert_string_equal(said, "b\n");
	assert_int_equal(program_end(&other, &answered), 0);
	assert_string_equal(answered, "a\n");
	close(pair[0]);
	close(pair[1]);
}

static void test_one_that_is_abandoned_is_gone(void **state)
{
	static const char *const argv[] = { "/bin/sh", "-c", "exec sleep 600", NULL };
	struct program program;

	(void)state;
	assert_int_equal(program_begin(&program, argv, -1), 0);
	pid_t pid = program.pid;
	int output = program.output;
	program_abandon(&program);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(fcntl(output, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_search),
		TEST(test_a_path_is_taken_as_it_is),
		TEST(test_without_path_the_usual_directories_are_searched),
		TEST(test_each_run),
		TEST(test_its_configuration_is_descriptor_3),
		TEST(test_also_when_it_was_that_already),
		TEST(test_a_log_is_neither_written_nor_made),
		TEST(test_output_has_a_limit),
		TEST(test_two_run_at_once),
		TEST(test_one_that_is_abandoned_is_gone),
	};

	return cmocka_run_group_tests_name("question/program", tests, scratch_begin, scratch_end);
}
