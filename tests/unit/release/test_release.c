#include <limits.h>

#include "../util/scratch.h"
#include "release/release.h"
#include "util/cleanup.h"

static char dir[SCRATCH_PATH_SIZE];

/* --- following the link --- */

static void make_releases(void)
{
	scratch_dir(dir);
	assert_int_equal(mkdir(at("%s/releases", dir), 0755), 0);
	assert_int_equal(mkdir(at("%s/releases/42", dir), 0755), 0);
	assert_int_equal(symlink("releases/42", at("%s/current", dir)), 0);
}

static void test_a_link_leads_to_its_release(void **state)
{
	struct release release;
	char why[256] = "untouched";

	(void)state;
	make_releases();
	assert_int_equal(release_resolve(at("%s/current", dir), &release, why, sizeof(why)), 0);
	assert_string_equal(release.path, at("%s/releases/42", dir));
	assert_string_equal(release.name, "42");
	assert_true(release.fd >= 0);
	assert_int_equal(fcntl(release.fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(release.fd, F_GETFL) & O_PATH);
	assert_string_equal(why, "untouched");
	release_done(&release);
	assert_int_equal(release.fd, FD_NONE);
	assert_string_equal(release.path, "");
	release_done(&release);
}

static void test_links_to_links_and_links_on_the_way_are_followed(void **state)
{
	struct release release;
	char why[256];

	(void)state;
	make_releases();
	assert_int_equal(symlink("current", at("%s/stable", dir)), 0);
	assert_int_equal(symlink(".", at("%s/here", dir)), 0);
	assert_int_equal(release_resolve(at("%s/here/stable", dir), &release, why, sizeof(why)), 0);
	assert_string_equal(release.path, at("%s/releases/42", dir));
	release_done(&release);
}

static void test_the_release_is_held_however_the_link_moves(void **state)
{
	struct release release;
	char why[256];
	struct stat held, named;

	(void)state;
	make_releases();
	assert_int_equal(release_resolve(at("%s/current", dir), &release, why, sizeof(why)), 0);
	assert_int_equal(mkdir(at("%s/releases/43", dir), 0755), 0);
	assert_int_equal(unlink(at("%s/current", dir)), 0);
	assert_int_equal(symlink("releases/43", at("%s/current", dir)), 0);
	assert_int_equal(release_refresh(&release), 0);
	assert_string_equal(release.path, at("%s/releases/42", dir));
	assert_int_equal(fstat(release.fd, &held), 0);
	assert_int_equal(stat(at("%s/releases/42", dir), &named), 0);
	assert_int_equal(held.st_ino, named.st_ino);
	release_done(&release);
}

static void test_no_link_is_an_image(void **state)
{
	struct release release;
	char why[256];

	(void)state;
	assert_int_equal(release_resolve("", &release, why, sizeof(why)), 0);
	assert_int_equal(release.fd, FD_NONE);
	assert_string_equal(release.path, "");
	assert_string_equal(release.name, "image");
	assert_int_equal(release_refresh(&release), 0);
	release_done(&release);
}

static void test_a_long_name_is_cut_and_the_path_is_not(void **state)
{
	struct release release;
	char why[256], name[200];

	(void)state;
	make_releases();
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(mkdir(at("%s/%s", dir, name), 0755), 0);
	assert_int_equal(symlink(name, at("%s/long", dir)), 0);
	assert_int_equal(release_resolve(at("%s/long", dir), &release, why, sizeof(why)), 0);
	assert_string_equal(release.path, at("%s/%s", dir, name));
	assert_int_equal(strlen(release.name), RELEASE_NAME_SIZE - 1);
	release_done(&release);
}

/* --- complaints --- */

/* clang-format off */
static const struct {
	const char *says;
	const char *link;   /* its name in the directory */
	const char *target; /* NULL: no symlink is made */
	int error;
	const char *why;    /* with the directory for %s */
} complaints[] = {
	{ "nothing is there", "none", NULL, ENOENT,
	  "release '%s/none': No such file or directory" },
	{ "not even the directory", "no/such/link", NULL, ENOENT,
	  "release '%s/no/such/link': No such file or directory" },
	{ "a file on the way", "file/link", NULL, ENOTDIR,
	  "release '%s/file/link': Not a directory" },
	{ "a file", "file", NULL, EINVAL,
	  "release '%s/file' is not a symlink; twinit pins the directory that a symlink names" },
	{ "a directory", "releases", NULL, EINVAL,
	  "release '%s/releases' is not a symlink; twinit pins the directory that a symlink names" },
	{ "a dangling link", "dangling", "releases/43", ENOENT,
	  "release '%s/dangling' points to 'releases/43', which does not exist; point it to a release" },
	{ "a link to itself", "loop", "loop", ELOOP,
	  "release '%s/loop' points to 'loop', which cannot be used: Too many levels of symbolic links" },
	{ "a link to a file", "tofile", "file", ENOTDIR,
	  "release '%s/tofile' points to 'file', which cannot be used: Not a directory" },
	{ "a target that would confuse a log", "odd", "a'b\nc", ENOENT,
	  "release '%s/odd' points to 'a\\x27b\\x0ac', which does not exist; point it to a release" },
};
/* clang-format on */

static void test_what_is_wrong_is_said(void **state)
{
	(void)state;
	make_releases();
	scratch_file(at("%s/file", dir), "x");
	for (size_t i = 0; i < ARRAY_SIZE(complaints); i++) {
		struct release release = { .fd = 1234 };
		const char *link = at("%s/%s", dir, complaints[i].link);
		char why[512] = "", expected[512];

		if (complaints[i].target)
			assert_int_equal(symlink(complaints[i].target, link), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(expected, sizeof(expected), complaints[i].why, dir);
#pragma GCC diagnostic pop
		int r = release_resolve(link, &release, why, sizeof(why));
		if (r != -complaints[i].error || strcmp(why, expected) != 0)
			fail_msg("%s: got %d, %s", complaints[i].says, r, why);
		assert_int_equal(release.fd, FD_NONE);
	}
}

static void test_a_short_buffer_gets_the_beginning(void **state)
{
	struct release release;
	char why[16];

	(void)state;
	assert_int_equal(release_resolve("/nowhere/current", &release, why, sizeof(why)), -ENOENT);
	assert_string_equal(why, "release '/nowhe");
}

static void test_a_path_that_is_too_long_is_said(void **state)
{
	struct release release;
	char why[2048], deep[1200], name[120];
	_cleanup_close_ int fd = FD_NONE;

	(void)state;
	make_releases();
	memset(name, 'd', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	snprintf(deep, sizeof(deep), "%s", dir);
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int depth = 0; depth < 9; depth++) {
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		int below = openat(fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = below;
		snprintf(deep + strlen(deep), sizeof(deep) - strlen(deep), "/%s", name);
	}
	assert_true(strlen(deep) > RELEASE_PATH_SIZE);
	assert_int_equal(symlink(deep, at("%s/deep", dir)), 0);
	assert_int_equal(release_resolve(at("%s/deep", dir), &release, why, sizeof(why)),
	                 -ENAMETOOLONG);
	assert_non_null(strstr(why, "File name too long"));
}

/* --- later --- */

static void test_a_renamed_release_is_found_again(void **state)
{
	struct release release;
	char why[256];

	(void)state;
	make_releases();
	assert_int_equal(release_resolve(at("%s/current", dir), &release, why, sizeof(why)), 0);
	assert_int_equal(rename(at("%s/releases/42", dir), at("%s/old", dir)), 0);
	assert_int_equal(release_refresh(&release), 0);
	assert_string_equal(release.path, at("%s/old", dir));
	assert_int_equal(rename(at("%s/old", dir), at("%s/it is (deleted) not", dir)), 0);
	assert_int_equal(release_refresh(&release), 0);
	assert_string_equal(release.path, at("%s/it is (deleted) not", dir));
	release_done(&release);
}

static void test_a_removed_release_is_gone(void **state)
{
	struct release release;
	char why[256];

	(void)state;
	make_releases();
	assert_int_equal(release_resolve(at("%s/current", dir), &release, why, sizeof(why)), 0);
	assert_int_equal(rmdir(at("%s/releases/42", dir)), 0);
	assert_int_equal(release_refresh(&release), -ENOENT);
	/* Another one of that name is not ours. */
	assert_int_equal(mkdir(at("%s/releases/42", dir), 0755), 0);
	assert_int_equal(release_refresh(&release), -ENOENT);
	release_done(&release);
}

static void test_a_release_is_adopted_with_its_descriptor(void **state)
{
	struct release release;

	(void)state;
	make_releases();
	int fd = open(at("%s/releases/42", dir), O_PATH | O_DIRECTORY | O_CLOEXEC);
	release_adopt(&release, at("%s/releases/42", dir), fd);
	assert_int_equal(release.fd, fd);
	assert_string_equal(release.path, at("%s/releases/42", dir));
	assert_string_equal(release.name, "42");
	assert_int_equal(release_refresh(&release), 0);
	release_done(&release);
	assert_int_equal(fcntl(fd, F_GETFD), -1);

	release_adopt(&release, "", FD_NONE);
	assert_string_equal(release.name, "image");
	/* Without a path the descriptor is nobody's. */
	release_adopt(&release, "", open("/", O_PATH | O_CLOEXEC));
	assert_int_equal(release.fd, FD_NONE);
}

/* --- links --- */

/* clang-format off */
static const struct {
	const char *says, *link, *target, *result;
} targets[] = {
	{ "beside the link",             "/srv/app/current", "/srv/app/1",           "1"                    },
	{ "deeper",                      "/srv/app/current", "/srv/app/releases/1",  "releases/1"           },
	{ "elsewhere",                   "/srv/app/current", "/mnt/releases/1",      "/mnt/releases/1"      },
	{ "above",                       "/srv/app/current", "/srv/releases/1",      "/srv/releases/1"      },
	{ "a directory whose name begins the same", "/srv/app/current", "/srv/app2/releases/1", "/srv/app2/releases/1" },
	{ "the directory of the link",   "/srv/app/current", "/srv/app",             "/srv/app"             },
	{ "... with a slash",            "/srv/app/current", "/srv/app/",            "/srv/app/"            },
	{ "a link in the root",          "/current",         "/releases/1",          "releases/1"           },
	{ "the root itself",             "/current",         "/",                    "/"                    },
	{ "a relative target stays",     "/srv/app/current", "releases/1",           "releases/1"           },
	{ "no directory in the link",    "current",          "/releases/1",          "/releases/1"          },
};
/* clang-format on */

static void test_targets_are_relative_where_they_can_be(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		const char *result = release_link_target(targets[i].link, targets[i].target);

		if (strcmp(result, targets[i].result) != 0)
			fail_msg("%s: got %s", targets[i].says, result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_link_leads_to_its_release),
		TEST(test_links_to_links_and_links_on_the_way_are_followed),
		TEST(test_the_release_is_held_however_the_link_moves),
		TEST(test_no_link_is_an_image),
		TEST(test_a_long_name_is_cut_and_the_path_is_not),
		TEST(test_what_is_wrong_is_said),
		TEST(test_a_short_buffer_gets_the_beginning),
		TEST(test_a_path_that_is_too_long_is_said),
		TEST(test_a_renamed_release_is_found_again),
		TEST(test_a_removed_release_is_gone),
		TEST(test_a_release_is_adopted_with_its_descriptor),
		TEST(test_targets_are_relative_where_they_can_be),
	};

	return cmocka_run_group_tests_name("release/release", tests, scratch_begin, scratch_end);
}
