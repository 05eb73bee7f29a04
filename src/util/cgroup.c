#include "util/cgroup.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/fs.h"
#include "util/text.h"

enum { TEXT_SIZE = 8192 };

static bool read_at(const char *directory, const char *name, char *to, size_t size)
{
	char path[512];
	struct text text = TEXT(path);

	text_add(&text, "%s/%s", directory, name);
	return !text.cut && read_file(path, to, size) >= 0;
}

/* "max", or what version 1 says instead: a number near 2^63, is no limit. */
static uint64_t read_limit(const char *root, const char *name)
{
	char text[64];

	if (!read_at(root, name, text, sizeof(text)) || text[0] < '0' || text[0] > '9')
		return UINT64_MAX;
	uint64_t value = strtoull(text, NULL, 10);
	return value > UINT64_MAX / 4 ? UINT64_MAX : value;
}

static uint64_t read_stat(const char *root, const char *file, const char *key)
{
	char text[TEXT_SIZE], line[64];
	struct text prefix = TEXT(line);

	if (!read_at(root, file, text + 1, sizeof(text) - 1))
		return 0;
	text[0] = '\n';
	text_add(&prefix, "\n%s ", key);
	const char *at = strstr(text, line);
	return at ? strtoull(at + prefix.length, NULL, 10) : 0;
}

static uint64_t left_of(uint64_t limit, uint64_t used, uint64_t reclaimable)
{
	uint64_t really = used > reclaimable ? used - reclaimable : 0;

	if (limit == UINT64_MAX)
		return UINT64_MAX;
	return limit > really ? limit - really : 0;
}

uint64_t cgroup_memory_limit(const char *root)
{
	uint64_t limit = read_limit(root, "memory.max");

	return limit != UINT64_MAX ? limit : read_limit(root, "memory/memory.limit_in_bytes");
}

uint64_t cgroup_oom_kills(const char *root)
{
	uint64_t kills = read_stat(root, "memory.events", "oom_kill");

	return kills > 0 ? kills : read_stat(root, "memory/memory.oom_control", "oom_kill");
}

/* Page cache counts as used, but goes when it must. */
uint64_t cgroup_memory_left(const char *root)
{
	uint64_t limit = read_limit(root, "memory.max");

	if (limit != UINT64_MAX)
		return left_of(limit, read_limit(root, "memory.current"),
		               read_stat(root, "memory.stat", "inactive_file") +
		                       read_stat(root, "memory.stat", "active_file"));
	return left_of(read_limit(root, "memory/memory.limit_in_bytes"),
	               read_limit(root, "memory/memory.usage_in_bytes"),
	               read_stat(root, "memory/memory.stat", "total_inactive_file") +
	                       read_stat(root, "memory/memory.stat", "total_active_file"));
}

uint64_t cgroup_pids_left(const char *root)
{
	uint64_t limit = read_limit(root, "pids.max");

	if (limit != UINT64_MAX)
		return left_of(limit, read_limit(root, "pids.current"), 0);
	return left_of(read_limit(root, "pids/pids.max"), read_limit(root, "pids/pids.current"), 0);
}
