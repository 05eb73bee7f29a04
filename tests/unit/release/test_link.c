#include "../util/scratch.h"
#include "release/link.h"

static char dir[SCRATCH_PATH_SIZE];

static void test_it_is_made_and_changed(void **state)
{
	(void)state;
	scratch_dir(dir);
	assert_int_equal(link_replace(at("%s/current", dir), "releases/1"), 0);
	assert_string_equal(scratch_link(at("%s/current", dir)), "releases/1");
	assert_int_equal(link_replace(at("%s/current", dir), "/srv/2"), 0);
	assert_string_equal(scratch_link(at("%s/current", dir)), "/srv/2");
	assert_int_equal(scratch_count(dir), 1);
}

static void test_a_directory_in_its_place_stays(void **state)
{
	(void)state;
	scratch_dir(dir);
	assert_int_equal(mkdir(at("%s/current", dir), 0755), 0);
	assert_true(link_replace(at("%s/current", dir), "releases/1") < 0);
	assert_int_equal(scratch_count(dir), 1);
	assert_int_equal(scratch_count(at("%s/current", dir)), 0);
}

static void test_what_cannot_be_a_link_is_told(void **state)
{
	(void)state;
	scratch_dir(dir);
	assert_int_equal(link_replace(at("%s/current", dir), ""), -ENOENT);
	assert_int_equal(link_replace(at("%s/nowhere/current", dir), "releases/1"), -ENOENT);
	assert_int_equal(scratch_count(dir), 0);
}

/* A reader in a hurry, beside a writer in a hurry. */
static void test_it_is_never_gone(void **state)
{
	const char *path;
	pid_t pid;

	(void)state;
	scratch_dir(dir);
	path = at("%s/current", dir);
	assert_int_equal(link_replace(path, "releases/0"), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 2000; i++)
			if (link_replace(path, i % 2 ? "releases/0" : "releases/1") < 0)
				_exit(EXIT_FAILURE);
		_exit(EXIT_SUCCESS);
	}
	assert_true(pid > 0);
	int status;
	while (waitpid(pid, &status, WNOHANG) == 0)
		if (strncmp(scratch_link(path), "releases/", 9) != 0)
			fail_msg("the link said '%s'", scratch_link(path));
	assert_int_equal(status, 0);
	assert_int_equal(scratch_count(dir), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_it_is_made_and_changed),
		TEST(test_a_directory_in_its_place_stays),
		TEST(test_what_cannot_be_a_link_is_told),
		TEST(test_it_is_never_gone),
	};

	return cmocka_run_group_tests_name("release/link", tests, scratch_begin, scratch_end);
}
