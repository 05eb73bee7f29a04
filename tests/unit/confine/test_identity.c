#include <grp.h>

#include "../util/forked.h"
#include "confine/caps.h"
#include "confine/identity.h"

enum { NOBODY = 65534 };

static const struct identity pool = {
	.uid = 1234, .gid = 2345, .group_count = 3, .groups = { 2345, 100, 4000000000u }
};

static void test_who_we_are(void **state)
{
	struct identity now = identity_current();

	(void)state;
	assert_int_equal(now.uid, geteuid());
	assert_int_equal(now.gid, getegid());
	assert_int_equal(now.group_count, 0);
}

static void become(void *context)
{
	const struct identity *identity = context;
	uid_t uids[3];
	gid_t gids[3], groups[IDENTITY_GROUPS_MAX];

	CHECK(identity_take_groups(identity) == 0);
	CHECK(getresgid(&gids[0], &gids[1], &gids[2]) == 0);
	CHECK(getgroups(IDENTITY_GROUPS_MAX, groups) == (int)identity->group_count);
	for (size_t i = 0; i < identity->group_count; i++) {
		bool found = false;

		for (size_t j = 0; j < identity->group_count; j++)
			found = found || groups[j] == identity->groups[i];
		CHECK(found);
	}
	CHECK(identity_take_user(identity) == 0);
	CHECK(getresuid(&uids[0], &uids[1], &uids[2]) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(gids[i] == identity->gid);
		CHECK(uids[i] == identity->uid);
	}
	CHECK(setresuid(-1, 0, -1) < 0);
	CHECK(setresgid(-1, 0, -1) < 0);
}

static void test_all_ids_are_taken_and_there_is_no_way_back(void **state)
{
	(void)state;
	only_as_root();
	in_child(become, (void *)&pool);
}

static void become_with_most(void *context)
{
	struct identity most = pool;

	(void)context;
	most.group_count = IDENTITY_GROUPS_MAX;
	for (size_t i = 0; i < IDENTITY_GROUPS_MAX; i++)
		most.groups[i] = (gid_t)(500 + i);
	become(&most);
}

static void test_as_many_groups_as_there_may_be(void **state)
{
	(void)state;
	only_as_root();
	in_child(become_with_most, NULL);
}

static void become_without_groups(void *context)
{
	const gid_t before[] = { 0, 5, 6 };

	CHECK(setgroups(ARRAY_SIZE(before), before) == 0);
	become(context);
}

static void test_groups_we_had_do_not_stay(void **state)
{
	struct identity alone = { .uid = 1234, .gid = 2345 };

	(void)state;
	only_as_root();
	in_child(become_without_groups, &alone);
}

static void stay_ourselves(void *context)
{
	struct identity ours;

	(void)context;
	CHECK(geteuid() != 0 || setresgid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(geteuid() != 0 || setresuid(NOBODY, NOBODY, NOBODY) == 0);
	ours = identity_current();
	CHECK(identity_take_groups(&ours) == 0);
	CHECK(identity_take_user(&ours) == 0);
}

static void test_to_stay_ourselves_needs_no_capability(void **state)
{
	(void)state;
	in_child(stay_ourselves, NULL);
}

static void become_another(void *context)
{
	struct identity other = pool;

	(void)context;
	CHECK(geteuid() != 0 || setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(identity_take_groups(&other) == -EPERM);
	CHECK(identity_take_user(&other) == -EPERM);
	other.uid = other.gid = 0;
	CHECK(identity_take_groups(&other) == -EPERM);
	CHECK(identity_take_user(&other) == -EPERM);
}

static void test_without_capabilities_nobody_becomes_another(void **state)
{
	(void)state;
	in_child(become_another, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_we_are),
		TEST(test_all_ids_are_taken_and_there_is_no_way_back),
		TEST(test_as_many_groups_as_there_may_be),
		TEST(test_groups_we_had_do_not_stay),
		TEST(test_to_stay_ourselves_needs_no_capability),
		TEST(test_without_capabilities_nobody_becomes_another),
	};

	return cmocka_run_group_tests_name("confine/identity", tests, NULL, NULL);
}
