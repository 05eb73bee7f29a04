#include "confine/rlimits.h"

#include <errno.h>
#include <sys/resource.h>

static void raise_hard(int resource, uint64_t wanted)
{
	struct rlimit limit;

	if (wanted == 0 || getrlimit((__rlimit_resource_t)resource, &limit) < 0 ||
	    limit.rlim_max >= wanted)
		return;
	limit.rlim_max = wanted;
	(void)setrlimit((__rlimit_resource_t)resource, &limit);
}

int rlimits_take(const struct rlimits *wanted)
{
	raise_hard(RLIMIT_NOFILE, wanted->files);
	raise_hard(RLIMIT_CORE, wanted->core);
	if (!wanted->has_priority)
		return 0;
	return setpriority(PRIO_PROCESS, 0, wanted->priority) < 0 ? -errno : 0;
}

uint64_t rlimits_open_many(void)
{
	struct rlimit limit;
	uint64_t before;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	before = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : before;
}

void rlimits_give_back(uint64_t open_files)
{
	struct rlimit limit;

	if (open_files == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = open_files;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
