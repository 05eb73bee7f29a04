#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "util/cgroup.h"
#include "util/macros.h"

static const struct {
	const char *says;
	const char *file, *text;
	uint64_t limit, kills;
} rows[] = {
	{ "nothing there", "other", "", UINT64_MAX, 0 },
	{ "version 2, no limit", "memory.max", "max\n", UINT64_MAX, 0 },
	{ "version 2", "memory.max", "25165824\n", 25165824, 0 },
	{ "version 2, kills", "memory.events", "low 0\noom 7\noom_kill 5\noom_group_kill 1\n",
	  UINT64_MAX, 5 },
	{ "version 1, no limit", "memory/memory.limit_in_bytes", "9223372036854771712\n",
	  UINT64_MAX, 0 },
	{ "version 1", "memory/memory.limit_in_bytes", "25165824\n", 25165824, 0 },
	{ "version 1, kills", "memory/memory.oom_control",
	  "oom_kill_disable 0\nunder_oom 1\noom_kill 3\n", UINT64_MAX, 3 },
	{ "version 1, before it counted", "memory/memory.oom_control",
	  "oom_kill_disable 1\nunder_oom 1\n", UINT64_MAX, 0 },
};

static void test_limit_and_kills(void **state)
{
	char root[SCRATCH_PATH_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scratch_dir(root);
		assert_int_equal(mkdir(at("%s/memory", root), 0755), 0);
		scratch_file(at("%s/%s", root, rows[i].file), rows[i].text);
		uint64_t limit = cgroup_memory_limit(root), kills = cgroup_oom_kills(root);

		if (limit != rows[i].limit || kills != rows[i].kills)
			fail_msg("%s: limit %ju, %ju kills", rows[i].says, (uintmax_t)limit,
			         (uintmax_t)kills);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit_and_kills),
	};

	return cmocka_run_group_tests_name("cgroup", tests, scratch_begin, scratch_end);
}
