#include "../util/scratch.h"
#include "release/publish.h"

static char dir[SCRATCH_PATH_SIZE];

static ino_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_ino;
}

static int publish(const char *release)
{
	return publish_release(at("%s/public", dir), at("%s/%s", dir, release));
}

static void test_the_first_release_has_no_previous(void **state)
{
	(void)state;
	scratch_dir(dir);
	assert_int_equal(publish("releases/1"), 0);
	assert_string_equal(scratch_link(at("%s/public", dir)), "releases/1");
	assert_int_equal(scratch_count(dir), 1);
}

static void test_each_later_one_keeps_the_one_before(void **state)
{
	(void)state;
	scratch_dir(dir);
	assert_int_equal(publish("releases/1"), 0);
	assert_int_equal(publish("releases/2"), 0);
	assert_string_equal(scratch_link(at("%s/public", dir)), "releases/2");
	assert_string_equal(scratch_link(at("%s/public.previous", dir)), "releases/1");
	assert_int_equal(publish("releases/3"), 0);
	assert_string_equal(scratch_link(at("%s/public", dir)), "releases/3");
	assert_string_equal(scratch_link(at("%s/public.previous", dir)), "releases/2");
	assert_int_equal(scratch_count(dir), 2);
}

static void test_on_the_way_back_the_two_change_places_in_one_step(void **state)
{
	(void)state;
	scratch_dir(dir);
	assert_int_equal(publish("releases/1"), 0);
	assert_int_equal(publish("releases/2"), 0);
	ino_t public = inode_of(at("%s/public", dir));
	ino_t previous = inode_of(at("%s/public.previous", dir));
	assert_int_equal(publish("releases/1"), 0);
	assert_string_equal(scratch_link(at("%s/public", dir)), "releases/1");
	assert_string_equal(scratch_link(at("%s/public.previous", dir)), "releases/2");
	/* They are the same links, under each other's name: nothing was made or replaced. */
	assert_int_equal(inode_of(at("%s/public", dir)), previous);
	assert_int_equal(inode_of(at("%s/public.previous", dir)), public);
	assert_int_equal(scratch_count(dir), 2);
}

static void test_the_same_again_changes_nothing(void **state)
{
	(void)state;
	scratch_dir(dir);
	assert_int_equal(publish("releases/1"), 0);
	assert_int_equal(publish("releases/2"), 0);
	ino_t public = inode_of(at("%s/public", dir));
	ino_t previous = inode_of(at("%s/public.previous", dir));
	assert_int_equal(publish("releases/2"), 0);
	assert_int_equal(inode_of(at("%s/public", dir)), public);
	assert_int_equal(inode_of(at("%s/public.previous", dir)), previous);
	assert_string_equal(scratch_link(at("%s/public.previous", dir)), "releases/1");
}

static void test_a_release_elsewhere_is_named_by_its_whole_path(void **state)
{
	(void)state;
	scratch_dir(dir);
	assert_int_equal(publish_release(at("%s/public", dir), "/mnt/releases/1"), 0);
	assert_string_equal(scratch_link(at("%s/public", dir)), "/mnt/releases/1");
}

static void test_a_dangling_link_is_replaced(void **state)
{
	(void)state;
	scratch_dir(dir);
	assert_int_equal(symlink("nowhere", at("%s/public", dir)), 0);
	assert_int_equal(publish("releases/1"), 0);
	assert_string_equal(scratch_link(at("%s/public", dir)), "releases/1");
	assert_string_equal(scratch_link(at("%s/public.previous", dir)), "nowhere");
}

static void test_a_file_in_the_way_stays(void **state)
{
	struct stat st;

	(void)state;
	scratch_dir(dir);
	scratch_file(at("%s/public", dir), "mine");
	assert_int_equal(publish("releases/1"), -EINVAL);
	assert_int_equal(stat(at("%s/public", dir), &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(scratch_count(dir), 1);
}

static void test_a_directory_in_the_way_stays(void **state)
{
	(void)state;
	scratch_dir(dir);
	assert_int_equal(mkdir(at("%s/public", dir), 0755), 0);
	assert_int_equal(publish("releases/1"), -EINVAL);
	assert_int_equal(scratch_count(dir), 1);
	assert_int_equal(scratch_count(at("%s/public", dir)), 0);
}

static void test_a_directory_in_the_previous_ones_way_stops_it(void **state)
{
	(void)state;
	scratch_dir(dir);
	assert_int_equal(publish("releases/1"), 0);
	assert_int_equal(mkdir(at("%s/public.previous", dir), 0755), 0);
	assert_int_equal(publish("releases/2"), -EISDIR);
	assert_string_equal(scratch_link(at("%s/public", dir)), "releases/1");
	assert_int_equal(scratch_count(dir), 2);
}

static void test_no_directory_is_told(void **state)
{
	(void)state;
	assert_int_equal(publish_release("/nowhere/at/all", "/srv/releases/1"), -ENOENT);
}

static void test_a_path_without_room_is_told(void **state)
{
	static char path[PATH_MAX];

	(void)state;
	scratch_dir(dir);
	memset(path, '/', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	memcpy(path, dir, strlen(dir));
	path[sizeof(path) - 2] = 'x';
	assert_int_equal(publish_release(path, "/srv/releases/1"), -ENAMETOOLONG);
	assert_int_equal(scratch_count(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_first_release_has_no_previous),
		TEST(test_each_later_one_keeps_the_one_before),
		TEST(test_on_the_way_back_the_two_change_places_in_one_step),
		TEST(test_the_same_again_changes_nothing),
		TEST(test_a_release_elsewhere_is_named_by_its_whole_path),
		TEST(test_a_dangling_link_is_replaced),
		TEST(test_a_file_in_the_way_stays),
		TEST(test_a_directory_in_the_way_stays),
		TEST(test_a_directory_in_the_previous_ones_way_stops_it),
		TEST(test_no_directory_is_told),
		TEST(test_a_path_without_room_is_told),
	};

	return cmocka_run_group_tests_name("release/publish", tests, scratch_begin, scratch_end);
}
