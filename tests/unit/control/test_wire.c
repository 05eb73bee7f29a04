#include <stdbool.h>

#include "../util/leaks.h"
#include "control/wire.h"

/* clang-format off */
static const struct {
	const char *says;
	enum wire_kind kind;
	size_t body;
} sizes[] = {
	{ "news",      WIRE_NEWS,      sizeof(struct news)           },
	{ "container", WIRE_CONTAINER, sizeof(struct wire_container) },
	{ "app",       WIRE_APP,       sizeof(struct wire_app)       },
	{ "replica",   WIRE_REPLICA,   sizeof(struct wire_replica)   },
	{ "pool",      WIRE_POOL,      sizeof(struct wire_pool)      },
	{ "sessions",  WIRE_SESSIONS,  sizeof(struct wire_sessions)  },
	{ "end",       WIRE_END,       sizeof(struct wire_end)       },
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(sizes) == WIRE_KIND_COUNT, "a kind of reply has no row");

static void test_a_reply_is_its_head_and_its_body(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t size = wire_reply_size(sizes[i].kind);

		if (size != offsetof(struct wire_reply, news) + sizes[i].body)
			fail_msg("%s: got %zu", sizes[i].says, size);
		assert_true(size <= sizeof(struct wire_reply));
	}
}

static void test_all_bodies_begin_at_one_place(void **state)
{
	(void)state;
	assert_int_equal(offsetof(struct wire_reply, news), offsetof(struct wire_reply, container));
	assert_int_equal(offsetof(struct wire_reply, news), offsetof(struct wire_reply, app));
	assert_int_equal(offsetof(struct wire_reply, news), offsetof(struct wire_reply, replica));
	assert_int_equal(offsetof(struct wire_reply, news), offsetof(struct wire_reply, pool));
	assert_int_equal(offsetof(struct wire_reply, news), offsetof(struct wire_reply, sessions));
	assert_int_equal(offsetof(struct wire_reply, news), offsetof(struct wire_reply, end));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_reply_is_its_head_and_its_body),
		TEST(test_all_bodies_begin_at_one_place),
	};

	return cmocka_run_group_tests_name("control/wire", tests, NULL, NULL);
}
