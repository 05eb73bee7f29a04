#include <sys/mount.h>

#include "../util/forked.h"
#include "confine/caps.h"
#include "confine/namespace.h"
#include "util/fs.h"

enum { NOBODY = 65534 };

struct names {
	char mnt[64], user[64];
};

static void name_all(struct names *names)
{
	memset(names, 0, sizeof(*names));
	CHECK(readlink("/proc/self/ns/mnt", names->mnt, sizeof(names->mnt) - 1) > 0);
	CHECK(readlink("/proc/self/ns/user", names->user, sizeof(names->user) - 1) > 0);
}

static void enter(void *context)
{
	struct names before, now;

	(void)context;
	name_all(&before);
	CHECK(namespace_enter() == 0);
	name_all(&now);
	CHECK(strcmp(before.mnt, now.mnt) != 0);
	CHECK(strcmp(before.user, now.user) == 0);
}

static void test_a_mount_namespace_alone(void **state)
{
	(void)state;
	only_as_root();
	in_child(enter, NULL);
}

static void enter_without_capabilities(void *context)
{
	(void)context;
	CHECK(caps_keep(0) == 0);
	CHECK(namespace_enter() == -EPERM);
}

static void test_it_needs_a_capability(void **state)
{
	(void)state;
	in_child(enter_without_capabilities, NULL);
}

static void expect_map(const char *file, unsigned id)
{
	char text[128];
	unsigned inside, outside, count;

	CHECK(read_file(file, text, sizeof(text)) > 0);
	CHECK(sscanf(text, "%u %u %u", &inside, &outside, &count) == 3);
	CHECK(inside == id && outside == id && count == 1);
}

static void become_nobody(void)
{
	if (geteuid() != 0)
		return;
	CHECK(setresgid(NOBODY - 1, NOBODY - 1, NOBODY - 1) == 0);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static void enter_as_user(void *context)
{
	struct names before, now;
	char text[16];

	(void)context;
	become_nobody();
	uid_t uid = geteuid();
	gid_t gid = getegid();
	name_all(&before);
	CHECK(!caps_have(CAP_SYS_ADMIN));
	CHECK(namespace_enter_as_user() == 0);
	name_all(&now);
	CHECK(strcmp(before.mnt, now.mnt) != 0);
	CHECK(strcmp(before.user, now.user) != 0);
	CHECK(geteuid() == uid && getuid() == uid && getegid() == gid);
	expect_map("/proc/self/uid_map", uid);
	expect_map("/proc/self/gid_map", gid);
	CHECK(read_file("/proc/self/setgroups", text, sizeof(text)) > 0);
	CHECK(strcmp(text, "deny\n") == 0);
	CHECK(caps_have(CAP_SYS_ADMIN));
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0);
}

/* Where users may make namespaces of their own at all. */
static void may_enter_as_user(void *context)
{
	(void)context;
	become_nobody();
	_exit(namespace_enter_as_user() == 0 ? 0 : 1);
}

static void test_a_user_namespace_keeps_our_ids_and_gives_us_power_in_it(void **state)
{
	(void)state;
	if (forked_status(may_enter_as_user, NULL) != 0)
		skip();
	in_child(enter_as_user, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_mount_namespace_alone),
		TEST(test_it_needs_a_capability),
		TEST(test_a_user_namespace_keeps_our_ids_and_gives_us_power_in_it),
	};

	return cmocka_run_group_tests_name("confine/namespace", tests, NULL, NULL);
}
