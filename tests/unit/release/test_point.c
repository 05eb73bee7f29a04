#include <limits.h>

#include "../util/scratch.h"
#include "release/point.h"
#include "util/cleanup.h"
#include "util/macros.h"

static char dir[SCRATCH_PATH_SIZE];
static char why[512];

static const char *link_now(void)
{
	static char target[PATH_MAX];
	ssize_t n = readlink(at("%s/current", dir), target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = '\0';
	return target;
}

static void make_release(const char *name)
{
	assert_int_equal(mkdir(at("%s/releases/%s", dir, name), 0755), 0);
	assert_int_equal(mkdir(at("%s/releases/%s/public", dir, name), 0755), 0);
}

/* Releases 41, which is the active one, and 42, beside what is none. */
static void make_site(void)
{
	scratch_dir(dir);
	assert_int_equal(mkdir(at("%s/releases", dir), 0755), 0);
	make_release("41");
	make_release("42");
	assert_int_equal(mkdir(at("%s/releases/empty", dir), 0755), 0);
	scratch_file(at("%s/releases/file", dir), "");
	assert_int_equal(symlink("42", at("%s/releases/latest", dir)), 0);
	assert_int_equal(symlink("releases/41", at("%s/current", dir)), 0);
}

static int point(const char *to, const char *docroot, struct pointing *pointing)
{
	_cleanup_close_ int active = open(at("%s/releases/41", dir), O_PATH | O_CLOEXEC);

	why[0] = '\0';
	return point_release(at("%s/current", dir), to, docroot, at("%s/releases/41", dir), active,
	                     pointing, why, sizeof(why));
}

static void test_a_name_is_found_beside_the_active_release(void **state)
{
	struct pointing pointing;

	(void)state;
	make_site();
	assert_int_equal(point("42", "public", &pointing), 0);
	assert_string_equal(link_now(), "releases/42");
	assert_true(pointing.moved);
	assert_false(pointing.is_active);
	assert_string_equal(pointing.before, "releases/41");
	assert_string_equal(pointing.after, "releases/42");
	assert_string_equal(pointing.name, "42");
	assert_string_equal(why, "");
	assert_int_equal(point_back(at("%s/current", dir), &pointing), 0);
	assert_string_equal(link_now(), "releases/41");
}

static void test_a_path_is_taken_as_it_is(void **state)
{
	char elsewhere[SCRATCH_PATH_SIZE];
	struct pointing pointing;

	(void)state;
	make_site();
	scratch_dir(elsewhere);
	assert_int_equal(point(elsewhere, NULL, &pointing), 0);
	assert_string_equal(link_now(), elsewhere);
	assert_int_equal(point(at("%s/releases/../releases/42/", dir), "public", &pointing), 0);
	assert_string_equal(link_now(), "releases/42");
}

static void test_the_directory_behind_a_symlink_is_named(void **state)
{
	struct pointing pointing;

	(void)state;
	make_site();
	assert_int_equal(point("latest", "public", &pointing), 0);
	assert_string_equal(link_now(), "releases/42");
	/* The link itself is one, too. */
	assert_int_equal(point(at("%s/current", dir), "public", &pointing), 0);
	assert_string_equal(link_now(), "releases/42");
	assert_false(pointing.moved);
}

static void test_the_active_one_is_known_whatever_the_link_says(void **state)
{
	struct pointing pointing;

	(void)state;
	make_site();
	assert_int_equal(point("41", "public", &pointing), 0);
	assert_true(pointing.is_active);
	assert_false(pointing.moved);
	assert_int_equal(point("42", "public", &pointing), 0);
	assert_int_equal(point("41", "public", &pointing), 0);
	assert_true(pointing.is_active);
	assert_true(pointing.moved);
	assert_string_equal(link_now(), "releases/41");
}

static void test_a_link_that_is_not_there_is_made_and_removed(void **state)
{
	struct pointing pointing;

	(void)state;
	make_site();
	assert_int_equal(unlink(at("%s/current", dir)), 0);
	assert_int_equal(point("42", "public", &pointing), 0);
	assert_string_equal(pointing.before, "");
	assert_string_equal(link_now(), "releases/42");
	assert_int_equal(point_back(at("%s/current", dir), &pointing), 0);
	assert_string_equal(link_now(), "");
	assert_int_equal(point_back(at("%s/current", dir), &pointing), -EBUSY);
}

static void test_what_somebody_else_has_moved_stays(void **state)
{
	struct pointing pointing;

	(void)state;
	make_site();
	assert_int_equal(point("42", "public", &pointing), 0);
	assert_int_equal(unlink(at("%s/current", dir)), 0);
	assert_int_equal(symlink("releases/43", at("%s/current", dir)), 0);
	assert_int_equal(point_back(at("%s/current", dir), &pointing), -EBUSY);
	assert_string_equal(link_now(), "releases/43");
}

static const struct row {
	const char *says;
	const char *to;
	const char *docroot;
	int result;
	const char *why; /* how it ends */
} rows[] = {
	{ "what is not there", "43", "public", -ENOENT,
	  "/releases/43': No such file or directory" },
	{ "nothing", "", NULL, -EINVAL, "'' names no directory" },
	{ "a file", "file", "public", -ENOTDIR, "/releases/file' is no directory" },
	{ "below a file", "file/x", NULL, -ENOTDIR, "/releases/file/x': Not a directory" },
	{ "no docroot", "empty", "public", -ENOENT,
	  "/releases/empty' has no docroot in it; is it a release?" },
	{ "a docroot that is a file", ".", "file", -ENOENT, "is it a release?" },
	{ "where all releases are", "..", "public", -ENOENT, "is it a release?" },
	{ "the root", "/", "public", -ENOENT, "'/' has no docroot in it; is it a release?" },
};

static void test_what_is_refused_leaves_the_link_alone(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct pointing pointing;

		make_site();
		int r = point(row->to, row->docroot, &pointing);
		size_t length = strlen(why), end = strlen(row->why);

		if (r != row->result || length < end || strcmp(why + length - end, row->why) != 0 ||
		    pointing.moved || strcmp(link_now(), "releases/41") != 0)
			fail_msg("%s: got %d, \"%s\", the link says %s", row->says, r, why,
			         link_now());
	}
}

static void test_what_is_no_link_is_not_replaced(void **state)
{
	struct pointing pointing;

	(void)state;
	make_site();
	assert_int_equal(unlink(at("%s/current", dir)), 0);
	assert_int_equal(mkdir(at("%s/current", dir), 0755), 0);
	assert_int_equal(point("42", "public", &pointing), -EINVAL);
	assert_non_null(strstr(why, "is no symlink"));
	assert_int_equal(scratch_count(at("%s/current", dir)), 0);
}

static void test_a_link_where_nothing_can_be_made_is_told(void **state)
{
	struct pointing pointing;

	(void)state;
	make_site();
	assert_int_equal(point_release("/proc/current", at("%s/releases/42", dir), NULL, "",
	                               FD_NONE, &pointing, why, sizeof(why)),
	                 -ENOENT);
	assert_string_equal(why, "'/proc/current': No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_name_is_found_beside_the_active_release),
		TEST(test_a_path_is_taken_as_it_is),
		TEST(test_the_directory_behind_a_symlink_is_named),
		TEST(test_the_active_one_is_known_whatever_the_link_says),
		TEST(test_a_link_that_is_not_there_is_made_and_removed),
		TEST(test_what_somebody_else_has_moved_stays),
		TEST(test_what_is_refused_leaves_the_link_alone),
		TEST(test_what_is_no_link_is_not_replaced),
		TEST(test_a_link_where_nothing_can_be_made_is_told),
	};

	return cmocka_run_group_tests_name("release/point", tests, scratch_begin, scratch_end);
}
