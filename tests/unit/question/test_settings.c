#include <stdbool.h>

#include "../util/leaks.h"
#include "question/settings.h"

static struct settings_answer answer;

/* One that PID 1 may use. */
static void make_good(void)
{
	memset(&answer, 0, sizeof(answer));
	answer.ok = true;
	answer.app.replicas = 2;
	answer.app.surge = 1;
	answer.settings.pool_count = 1;
	answer.identity.uid = 33;
	answer.identity.gid = 33;
}

/* --- sizes --- */

#define OF_POOLS(count) offsetof(struct settings_answer, settings.pools[count])

/* clang-format off */
static const struct {
	const char *says;
	size_t size;
	bool good;
} sizes[] = {
	{ "nothing",            0,                          false },
	{ "one byte",           1,                          false },
	{ "no pools",           OF_POOLS(0),                false },
	{ "one byte less",      OF_POOLS(1) - 1,            false },
	{ "the right size",     OF_POOLS(1),                true  },
	{ "one byte more",      OF_POOLS(1) + 1,            false },
	{ "one pool more",      OF_POOLS(2),                false },
	{ "all pools",          sizeof(answer),             false },
	{ "a size that wraps",  (size_t)-1,                 false },
};
/* clang-format on */

static void test_only_the_right_size_is_an_answer(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		make_good();
		if (settings_answer_check(&answer, sizes[i].size) != sizes[i].good)
			fail_msg("%s", sizes[i].says);
	}
}

/* --- numbers --- */

static void no_pool(void)
{
	answer.settings.pool_count = 0;
}

static void most_pools(void)
{
	answer.settings.pool_count = POOLS_MAX;
}

static void too_many_pools(void)
{
	answer.settings.pool_count = POOLS_MAX + 1;
}

static void pools_beyond_counting(void)
{
	answer.settings.pool_count = UINT32_MAX;
}

static void most_groups(void)
{
	answer.identity.group_count = IDENTITY_GROUPS_MAX;
}

static void too_many_groups(void)
{
	answer.identity.group_count = IDENTITY_GROUPS_MAX + 1;
}

static void groups_beyond_counting(void)
{
	answer.identity.group_count = SIZE_MAX;
}

static void root(void)
{
	answer.identity.uid = 0;
}

static void root_for_several_users(void)
{
	answer.identity.uid = 0;
	answer.caps = PRIVILEGES_LEAST;
}

static void root_for_chroot(void)
{
	answer.identity.uid = 0;
	answer.caps = PRIVILEGES_MOST;
}

static void root_that_mounts(void)
{
	answer.identity.uid = 0;
	answer.caps = PRIVILEGES_LEAST | CAP_BIT(CAP_SYS_ADMIN);
}

static void user_that_kills(void)
{
	answer.caps = CAP_BIT(CAP_KILL);
}

static void no_user(void)
{
	answer.identity.uid = (uid_t)-1;
}

static void no_replica(void)
{
	answer.app.replicas = 0;
}

static void most_replicas(void)
{
	answer.app.replicas = REPLICAS_MAX;
}

static void too_many_replicas(void)
{
	answer.app.replicas = REPLICAS_MAX + 1;
}

static void surge_beyond_replicas(void)
{
	answer.app.surge = answer.app.replicas + 1;
}

static void usual_surge(void)
{
	answer.app.surge = SURGE_DEFAULT;
}

static void another_way_to_share(void)
{
	answer.app.workers = (enum workers)(WORKERS_FULL + 1);
}

static void another_pm(void)
{
	answer.settings.pools[0].pm = (enum pm)(PM_ONDEMAND + 1);
}

/* A byte that is neither yes nor no, in the place of a bool. */
static void perhaps(bool *flag)
{
	memset(flag, 2, sizeof(*flag));
}

static void perhaps_ok(void)
{
	perhaps(&answer.ok);
}

static void perhaps_read_only(void)
{
	perhaps(&answer.app.read_only);
}

static void perhaps_docroot(void)
{
	perhaps(&answer.app.docroot_set);
}

static void perhaps_chrooted(void)
{
	perhaps(&answer.settings.pools[0].chrooted);
}

static void perhaps_priority(void)
{
	perhaps(&answer.rlimits.has_priority);
}

static void perhaps_slowlog(void)
{
	perhaps(&answer.needs.ptrace);
}

static void nothing_special(void) {}

/* clang-format off */
static const struct {
	const char *says;
	void (*spoil)(void);
	bool good;
} numbers[] = {
	{ "a good one",                    nothing_special,        true  },
	{ "no pool",                       no_pool,                false },
	{ "as many pools as may be",       most_pools,             true  },
	{ "one pool more",                 too_many_pools,         false },
	{ "very many pools",               pools_beyond_counting,  false },
	{ "as many groups as may be",      most_groups,            true  },
	{ "one group more",                too_many_groups,        false },
	{ "very many groups",              groups_beyond_counting, false },
	{ "PHP as root",                   root,                   false },
	{ "a master of several users",     root_for_several_users, true  },
	{ "a master with chroot",          root_for_chroot,        true  },
	{ "a master that mounts",          root_that_mounts,       false },
	{ "a user with a capability",      user_that_kills,        false },
	{ "a user that stays who it was",  no_user,                false },
	{ "no replica",                    no_replica,             false },
	{ "as many replicas as may be",    most_replicas,          true  },
	{ "one replica more",              too_many_replicas,      false },
	{ "more surge than replicas",      surge_beyond_replicas,  false },
	{ "no surge said",                 usual_surge,            true  },
	{ "a way to share there is not",   another_way_to_share,   false },
	{ "a pm there is not",             another_pm,             false },
	{ "neither good nor bad",          perhaps_ok,             false },
	{ "neither read-only nor not",     perhaps_read_only,      false },
	{ "neither a docroot nor none",    perhaps_docroot,        false },
	{ "neither chroot nor none",       perhaps_chrooted,       false },
	{ "neither a priority nor none",   perhaps_priority,       false },
	{ "neither slowlog nor none",      perhaps_slowlog,        false },
};
/* clang-format on */

static void test_numbers_are_checked(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		make_good();
		numbers[i].spoil();
		if (settings_answer_check(&answer, settings_answer_size(&answer)) !=
		    numbers[i].good)
			fail_msg("%s: %s", numbers[i].says,
			         numbers[i].good ? "refused" : "accepted");
	}
}

static void test_a_refusal_needs_a_reason_only(void **state)
{
	(void)state;
	memset(&answer, 0xff, sizeof(answer));
	memset(&answer.ok, 0, sizeof(answer.ok));
	answer.settings.pool_count = 0;
	assert_true(settings_answer_check(&answer, settings_answer_size(&answer)));
	assert_int_equal(answer.why[SETTINGS_WHY_SIZE - 1], '\0');
}

/* --- texts --- */

/* The paths and lists of the app go into further questions; the others are shown or opened. */
#define FIELD(name)                                                                                \
	{                                                                                          \
#name, answer.name, sizeof(answer.name)                                            \
	}
static const struct {
	const char *name, *text;
	size_t size;
} texts[] = {
	FIELD(why),
	FIELD(release),
	FIELD(php_fpm),
	FIELD(fpm_config),
	FIELD(preload),
	FIELD(app.name),
	FIELD(app.release),
	FIELD(app.publish),
	FIELD(app.php_fpm),
	FIELD(app.fpm_config),
	FIELD(app.docroot),
	FIELD(app.health),
	FIELD(app.warm),
	FIELD(settings.pools[0].name),
	FIELD(settings.pools[0].listen),
	FIELD(settings.pools[0].status_path),
	FIELD(settings.pools[0].user),
	FIELD(settings.pools[0].group),
	FIELD(settings.pools[0].listen_owner),
	FIELD(settings.pools[0].listen_group),
	FIELD(settings.pools[POOLS_MAX - 1].name),
	FIELD(settings.pools[POOLS_MAX - 1].listen),
	FIELD(settings.pools[POOLS_MAX - 1].status_path),
};

static void test_texts_are_ended(void **state)
{
	bool all = true;

	(void)state;
	memset(&answer, 'x', sizeof(answer));
	answer.ok = true;
	answer.app.replicas = answer.app.surge = 1;
	answer.app.confine = CONFINE_OFF;
	answer.copied = answer.copied_earlier = false;
	answer.app.workers = WORKERS_SPLIT;
	answer.app.read_only = answer.app.docroot_set = false;
	answer.rlimits = (struct rlimits){ 0 };
	answer.needs = (struct filter_needs){ 0 };
	answer.settings.pool_count = POOLS_MAX;
	for (unsigned i = 0; i < POOLS_MAX; i++) {
		struct fpm_pool *pool = &answer.settings.pools[i];

		pool->pm = PM_STATIC;
		pool->chrooted = pool->has_priority = false;
	}
	answer.identity = (struct identity){ .uid = 33 };
	answer.caps = 0;
	assert_true(settings_answer_check(&answer, settings_answer_size(&answer)));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strnlen(texts[i].text, texts[i].size) == texts[i].size) {
			print_error("%s is not ended\n", texts[i].name);
			all = false;
		}
	assert_true(all);
}

/* --- names --- */

static void test_each_pool_of_each_generation_has_a_file_of_its_own(void **state)
{
	char name[64], cut[8];

	(void)state;
	settings_prepend_name("shop", 3, "www", name, sizeof(name));
	assert_string_equal(name, "shop-3-www.php");
	settings_prepend_name("shop", 3, "www", cut, sizeof(cut));
	assert_string_equal(cut, "shop-3-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_only_the_right_size_is_an_answer),
		TEST(test_numbers_are_checked),
		TEST(test_a_refusal_needs_a_reason_only),
		TEST(test_texts_are_ended),
		TEST(test_each_pool_of_each_generation_has_a_file_of_its_own),
	};

	return cmocka_run_group_tests_name("question/settings", tests, NULL, NULL);
}
