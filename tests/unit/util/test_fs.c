#include <limits.h>
#include <seccomp.h>
#include <stdbool.h>

#include "forked.h"
#include "scratch.h"
#include "util/cleanup.h"
#include "util/fs.h"

/* --- files --- */

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_a_file_is_written_and_read_back(void **state)
{
	char dir[SCRATCH_PATH_SIZE], text[32];
	_cleanup_close_ int fd = FD_NONE;

	(void)state;
	scratch_dir(dir);
	fd = open_dir(dir);
	assert_int_equal(write_file_at(fd, "file", "a longer text"), 0);
	assert_int_equal(read_file(at("%s/file", dir), text, sizeof(text)), 13);
	assert_string_equal(text, "a longer text");
	assert_int_equal(write_file_at(fd, "file", "short"), 0);
	assert_int_equal(read_file(at("%s/file", dir), text, sizeof(text)), 5);
	assert_string_equal(text, "short");
	assert_int_equal(write_file_at(-1, at("%s/file", dir), ""), 0);
	assert_int_equal(read_file(at("%s/file", dir), text, sizeof(text)), 0);
	assert_string_equal(text, "");
}

static void test_what_cannot_be_written_is_told(void **state)
{
	char dir[SCRATCH_PATH_SIZE];

	(void)state;
	scratch_dir(dir);
	assert_int_equal(write_file_at(-1, at("%s/none/file", dir), "x"), -ENOENT);
	assert_int_equal(write_file_at(-1, dir, "x"), -EISDIR);
	assert_int_equal(write_file_at(-1, "/dev/full", "x"), -ENOSPC);
}

static struct file_stamp stamp_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return file_stamp_of(&st);
}

static void test_a_stamp_says_whether_it_is_the_file_it_was(void **state)
{
	const struct timespec year_2000[] = { { .tv_sec = 946684800 }, { .tv_sec = 946684800 } };
	char dir[SCRATCH_PATH_SIZE];

	(void)state;
	scratch_dir(dir);
	scratch_file(at("%s/one", dir), "abc");
	assert_int_equal(utimensat(AT_FDCWD, at("%s/one", dir), year_2000, 0), 0);
	const struct file_stamp was = stamp_of(at("%s/one", dir));
	struct file_stamp is = stamp_of(at("%s/one", dir));
	assert_true(file_stamp_same(&was, &is));

	/* As long as it was, with its date set back; the kernel's clock may tick once in 10 ms. */
	do {
		scratch_file(at("%s/one", dir), "abd");
		assert_int_equal(utimensat(AT_FDCWD, at("%s/one", dir), year_2000, 0), 0);
		is = stamp_of(at("%s/one", dir));
	} while (file_stamp_same(&was, &is));

	scratch_file(at("%s/two", dir), "abc");
	const struct file_stamp other = stamp_of(at("%s/two", dir));
	assert_false(file_stamp_same(&was, &other));
}

/* clang-format off */
static const struct {
	const char *says;
	const char *text; /* NULL: no such file */
	size_t size;
	ssize_t result;
	const char *read;
} reads[] = {
	{ "a file with room to spare",      "abc",  8, 3,       "abc" },
	{ "a file that just fits",          "abc",  4, 3,       "abc" },
	{ "what does not fit is left",      "abcd", 4, 3,       "abc" },
	{ "room for the end only",          "abcd", 1, 0,       ""    },
	{ "an empty file",                  "",     4, 0,       ""    },
	{ "no file",                        NULL,   4, -ENOENT, "~"   },
};
/* clang-format on */

static void test_reading(void **state)
{
	char dir[SCRATCH_PATH_SIZE];

	(void)state;
	scratch_dir(dir);
	for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
		const char *path = at("%s/%zu", dir, i);
		char to[10] = "~";

		if (reads[i].text)
			scratch_file(path, reads[i].text);
		if (read_file(path, to, reads[i].size) != reads[i].result ||
		    strcmp(to, reads[i].read) != 0)
			fail_msg("%s: got '%s'", reads[i].says, to);
	}
	char to[8];
	assert_int_equal(read_file(dir, to, sizeof(to)), -EISDIR);
}

/* --- directories --- */

static mode_t mode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	return st.st_mode & 07777;
}

static void test_a_directory_is_made_or_taken_with_its_mode(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	_cleanup_close_ int parent = FD_NONE, made = FD_NONE, taken = FD_NONE;
	mode_t umask_before = umask(077);

	(void)state;
	scratch_dir(dir);
	parent = open_dir(dir);
	made = make_dir_at(parent, "new", 0755);
	umask(umask_before);
	assert_true(made >= 0);
	assert_int_equal(mode_of(made), 0755);
	assert_int_equal(fcntl(made, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write_file_at(made, "file", "x"), 0);

	taken = make_dir_at(parent, "new", 0710);
	assert_true(taken >= 0);
	assert_int_equal(mode_of(taken), 0710);
	assert_int_equal(faccessat(taken, "file", F_OK, 0), 0);
}

static void test_what_is_no_directory_is_not_taken(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	_cleanup_close_ int parent = FD_NONE;
	struct stat st;

	(void)state;
	scratch_dir(dir);
	parent = open_dir(dir);
	scratch_file(at("%s/file", dir), "mine");
	assert_int_equal(mkdir(at("%s/real", dir), 0700), 0);
	assert_int_equal(symlink("real", at("%s/link", dir)), 0);
	assert_int_equal(symlink("nowhere", at("%s/dangling", dir)), 0);

	assert_int_equal(make_dir_at(parent, "file", 0755), -ENOTDIR);
	assert_int_equal(make_dir_at(parent, "link", 0755), -ENOTDIR);
	assert_int_equal(make_dir_at(parent, "dangling", 0755), -ENOTDIR);
	assert_int_equal(make_dir_at(parent, "none/below", 0755), -ENOENT);
	/* Nothing was changed through the link. */
	assert_int_equal(stat(at("%s/real", dir), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(access(at("%s/nowhere", dir), F_OK), -1);
}

static void test_somebody_elses_directory_is_not_taken(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	_cleanup_close_ int parent = FD_NONE;

	(void)state;
	only_as_root();
	scratch_dir(dir);
	parent = open_dir(dir);
	assert_int_equal(mkdir(at("%s/theirs", dir), 0700), 0);
	assert_int_equal(chown(at("%s/theirs", dir), 65534, 65534), 0);
	assert_int_equal(make_dir_at(parent, "theirs", 0755), -EPERM);
}

/* --- where a descriptor is --- */

static void test_the_path_of_a_descriptor_has_no_symlink_in_it(void **state)
{
	char dir[SCRATCH_PATH_SIZE], path[PATH_MAX];
	_cleanup_close_ int fd = FD_NONE;

	(void)state;
	scratch_dir(dir);
	assert_int_equal(mkdir(at("%s/real", dir), 0755), 0);
	assert_int_equal(symlink("real", at("%s/link", dir)), 0);
	fd = open(at("%s/link", dir), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(path_of_fd(fd, path, sizeof(path)), 0);
	assert_string_equal(path, at("%s/real", dir));

	assert_int_equal(rename(at("%s/real", dir), at("%s/moved", dir)), 0);
	assert_int_equal(path_of_fd(fd, path, sizeof(path)), 0);
	assert_string_equal(path, at("%s/moved", dir));
}

static void test_a_path_that_does_not_fit_is_refused(void **state)
{
	char dir[SCRATCH_PATH_SIZE], path[PATH_MAX];
	_cleanup_close_ int fd = FD_NONE;
	size_t length;

	(void)state;
	scratch_dir(dir);
	fd = open_dir(dir);
	length = strlen(dir);
	assert_int_equal(path_of_fd(fd, path, length + 1), 0);
	assert_string_equal(path, dir);
	assert_int_equal(path_of_fd(fd, path, length), -ENAMETOOLONG);
	assert_int_equal(path_of_fd(fd, path, 1), -ENAMETOOLONG);
	assert_int_equal(path_of_fd(FD_NONE, path, sizeof(path)), -ENOENT);
}

static void test_a_path_in_a_descriptor_stays_short(void **state)
{
	char dir[SCRATCH_PATH_SIZE], path[FD_PATH_SIZE], text[8];
	_cleanup_close_ int fd = FD_NONE;

	(void)state;
	scratch_dir(dir);
	fd = open_dir(dir);
	/* Deeper than a unix socket's path may be long. */
	for (int depth = 0; depth < 40; depth++) {
		int below = make_dir_at(fd, "directory", 0755);

		assert_true(below >= 0);
		close(fd);
		fd = below;
	}
	assert_int_equal(write_file_at(fd, "file", "deep"), 0);
	path_in_fd(fd, "file", path);
	assert_in_range(strlen(path), 1, 30);
	assert_int_equal(read_file(path, text, sizeof(text)), 4);
	assert_string_equal(text, "deep");
}

/* --- what a child closes --- */

enum { LOOK_AT = 120 };

struct closing {
	const char *says;
	int keep[4];
	size_t count;
	bool without_close_range;
};

/* clang-format off */
static struct closing closings[] = {
	{ "nothing is kept",                          { 0 },               0, false },
	{ "one in the middle",                        { 50 },              1, false },
	{ "the first and the last",                   { 3, 99 },           2, false },
	{ "neighbours, unsorted",                     { 8, 7, 99, 6 },     4, false },
	{ "one twice",                                { 9, 9 },            2, false },
	{ "standard ones stay, also when mentioned",  { 2, 0, 40 },        3, false },
	{ "one that is not open",                     { 110 },             1, false },
	{ "an old kernel: nothing is kept",           { 0 },               0, true  },
	{ "an old kernel: some",                      { 99, 3, 50 },       3, true  },
};
/* clang-format on */

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool wanted(const struct closing *row, int fd)
{
	for (size_t i = 0; i < row->count; i++)
		if (row->keep[i] == fd)
			return true;
	return fd < 3;
}

static void deny_close_range(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	CHECK(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(close_range), 0) == 0);
	CHECK(seccomp_load(filter) == 0);
	seccomp_release(filter);
}

static void close_and_look(void *context)
{
	struct closing *row = context;
	bool was_open[LOOK_AT];

	if (row->without_close_range)
		deny_close_range();
	for (int fd = 3; fd < 100; fd++)
		CHECK(dup2(STDERR_FILENO, fd) == fd);
	for (int fd = 0; fd < LOOK_AT; fd++)
		was_open[fd] = is_open(fd);
	close_all_but(row->keep, row->count);
	for (int fd = 0; fd < LOOK_AT; fd++)
		CHECK(is_open(fd) == (was_open[fd] && wanted(row, fd)));
}

static void test_a_child_closes_all_but_some(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(closings); i++)
		in_child_row(closings[i].says, close_and_look, &closings[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_file_is_written_and_read_back),
		TEST(test_what_cannot_be_written_is_told),
		TEST(test_a_stamp_says_whether_it_is_the_file_it_was),
		TEST(test_reading),
		TEST(test_a_directory_is_made_or_taken_with_its_mode),
		TEST(test_what_is_no_directory_is_not_taken),
		TEST(test_somebody_elses_directory_is_not_taken),
		TEST(test_the_path_of_a_descriptor_has_no_symlink_in_it),
		TEST(test_a_path_that_does_not_fit_is_refused),
		TEST(test_a_path_in_a_descriptor_stays_short),
		TEST(test_a_child_closes_all_but_some),
	};

	return cmocka_run_group_tests_name("util/fs", tests, scratch_begin, scratch_end);
}
