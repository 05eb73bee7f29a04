#include <linux/securebits.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "../util/forked.h"
#include "confine/caps.h"

enum { NOBODY = 65534 };

static bool has(cap_flag_t set, cap_value_t cap)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value;

	CHECK(caps && cap_get_flag(caps, cap, set, &value) == 0);
	cap_free(caps);
	return value == CAP_SET;
}

/* How many capabilities are in a set. */
static unsigned count(cap_flag_t set)
{
	unsigned n = 0;

	for (cap_value_t cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		n += has(set, cap);
	return n;
}

static unsigned count_bounding(void)
{
	unsigned n = 0;

	for (cap_value_t cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		n += prctl(PR_CAPBSET_READ, cap) == 1;
	return n;
}

static void lower(cap_value_t cap)
{
	cap_t caps = cap_get_proc();

	CHECK(cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, CAP_CLEAR) == 0);
	CHECK(cap_set_proc(caps) == 0);
	cap_free(caps);
}

static void look_one_by_one(void *context)
{
	(void)context;
	CHECK(caps_have(CAP_SYS_ADMIN) == has(CAP_EFFECTIVE, CAP_SYS_ADMIN));
	CHECK(caps_have(CAP_KILL) == has(CAP_EFFECTIVE, CAP_KILL));
	lower(CAP_SYS_ADMIN);
	CHECK(!caps_have(CAP_SYS_ADMIN));
	CHECK(caps_have(CAP_KILL));
	lower(CAP_KILL);
	CHECK(!caps_have(CAP_KILL));
}

static void test_what_we_have_is_what_is_effective(void **state)
{
	(void)state;
	only_as_root();
	in_child(look_one_by_one, NULL);
}

static void empty_bounding(void *context)
{
	unsigned before = count(CAP_EFFECTIVE);

	(void)context;
	CHECK(count_bounding() > 0);
	CHECK(caps_bound(0) == 0);
	CHECK(count_bounding() == 0);
	CHECK(count(CAP_EFFECTIVE) == before);
	CHECK(caps_bound(0) == 0);
}

static void test_the_bounding_set_is_emptied_to_the_last(void **state)
{
	(void)state;
	only_as_root();
	in_child(empty_bounding, NULL);
}

static void keep_bounding(void *context)
{
	unsigned before = count_bounding();

	(void)context;
	lower(CAP_SETPCAP);
	CHECK(caps_bound(0) == 0);
	CHECK(count_bounding() == before);
}

static void test_without_cap_setpcap_the_bounding_set_stays(void **state)
{
	(void)state;
	only_as_root();
	in_child(keep_bounding, NULL);
}

static void drop_all(void *context)
{
	(void)context;
	if (geteuid() == 0) {
		cap_value_t inherited[] = { CAP_KILL };
		cap_t caps = cap_get_proc();

		CHECK(cap_set_flag(caps, CAP_INHERITABLE, 1, inherited, CAP_SET) == 0);
		CHECK(cap_set_proc(caps) == 0);
		cap_free(caps);
		CHECK(cap_set_ambient(CAP_KILL, CAP_SET) == 0);
	}
	CHECK(caps_keep(0) == 0);
	CHECK(count(CAP_EFFECTIVE) == 0);
	CHECK(count(CAP_PERMITTED) == 0);
	CHECK(count(CAP_INHERITABLE) == 0);
	for (cap_value_t cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 0);
	CHECK(!caps_have(CAP_SYS_ADMIN));
	CHECK(!caps_have(CAP_KILL));
	CHECK(caps_keep(0) == 0);
}

static void test_all_sets_are_dropped(void **state)
{
	(void)state;
	in_child(drop_all, NULL);
}

static void keep_two(void *context)
{
	const uint64_t two = CAP_BIT(CAP_KILL) | CAP_BIT(CAP_SETUID);

	(void)context;
	CHECK(caps_bound(two) == 0);
	CHECK(count_bounding() == 2);
	CHECK(caps_keep(two) == 0);
	CHECK(caps_effective() == two);
	CHECK(count(CAP_PERMITTED) == 2);
	CHECK(count(CAP_INHERITABLE) == 0);
	/* What is gone does not come back. */
	CHECK(caps_keep(two | CAP_BIT(CAP_CHOWN)) == 0);
	CHECK(caps_effective() == two);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(caps_effective() == 0);
}

static void test_some_can_be_kept_until_the_user_changes(void **state)
{
	(void)state;
	only_as_root();
	in_child(keep_two, NULL);
}

static void lock(void *context)
{
	const bool root_counts = *(bool *)context;

	CHECK(caps_lock(root_counts) == 0);
	CHECK(prctl(PR_SET_KEEPCAPS, 1) < 0);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) < 0);
	CHECK(((prctl(PR_GET_SECUREBITS) & SECBIT_NOROOT) == 0) == root_counts);
	/* A second time changes nothing, and undoing it is refused. */
	CHECK(caps_lock(root_counts) == 0);
	CHECK(prctl(PR_SET_SECUREBITS, 0) < 0);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(count(CAP_PERMITTED) == 0);
	CHECK(caps_lock(root_counts) == 0);
}

static void test_what_is_locked_stays_locked(void **state)
{
	bool root_counts = false;

	(void)state;
	only_as_root();
	in_child(lock, &root_counts);
	root_counts = true;
	in_child(lock, &root_counts);
}

/* As a service manager may have done it. */
static void lock_after_others(void *context)
{
	const int theirs = SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED;

	(void)context;
	CHECK(prctl(PR_SET_SECUREBITS, theirs) == 0);
	CHECK(caps_lock(true) == -EPERM);
	CHECK(caps_lock(false) == 0);
	CHECK((prctl(PR_GET_SECUREBITS) & theirs) == theirs);
	CHECK(prctl(PR_GET_SECUREBITS) & SECBIT_NOROOT);
	CHECK(caps_lock(false) == 0);
}

static void test_what_others_locked_is_in_nobodys_way_who_keeps_nothing(void **state)
{
	(void)state;
	only_as_root();
	in_child(lock_after_others, NULL);
}

static void no_new_privileges(void *context)
{
	(void)context;
	CHECK(caps_no_new_privileges() == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(caps_no_new_privileges() == 0);
}

static void test_no_new_privileges_is_for_good(void **state)
{
	(void)state;
	in_child(no_new_privileges, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_we_have_is_what_is_effective),
		TEST(test_the_bounding_set_is_emptied_to_the_last),
		TEST(test_without_cap_setpcap_the_bounding_set_stays),
		TEST(test_all_sets_are_dropped),
		TEST(test_some_can_be_kept_until_the_user_changes),
		TEST(test_what_is_locked_stays_locked),
		TEST(test_what_others_locked_is_in_nobodys_way_who_keeps_nothing),
		TEST(test_no_new_privileges_is_for_good),
	};

	return cmocka_run_group_tests_name("confine/caps", tests, NULL, NULL);
}
