#include "question/limits.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/fs.h"
#include "util/text.h"

enum { TEXT_SIZE = 8192, GROUPS = 16 };

static bool read_at(const char *directory, const char *name, char *to, size_t size)
{
	char path[512];
	struct text text = TEXT(path);

	text_add(&text, "%s/%s", directory, name);
	return !text.cut && read_file(path, to, size) >= 0;
}

/* "max", or what version 1 says instead: a number near 2^63, is no limit. */
static uint64_t read_limit(const char *cgroup, const char *name)
{
	char text[64];

	if (!read_at(cgroup, name, text, sizeof(text)) || text[0] < '0' || text[0] > '9')
		return UINT64_MAX;
	uint64_t value = strtoull(text, NULL, 10);
	return value > UINT64_MAX / 4 ? UINT64_MAX : value;
}

static uint64_t read_stat(const char *cgroup, const char *file, const char *key)
{
	char text[TEXT_SIZE], line[64];
	struct text prefix = TEXT(line);

	if (!read_at(cgroup, file, text + 1, sizeof(text) - 1))
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

/* Page cache counts as used, but goes when it must. */
static uint64_t memory_left(const char *cgroup)
{
	uint64_t limit = read_limit(cgroup, "memory.max");

	if (limit != UINT64_MAX)
		return left_of(limit, read_limit(cgroup, "memory.current"),
		               read_stat(cgroup, "memory.stat", "inactive_file") +
		                       read_stat(cgroup, "memory.stat", "active_file"));
	return left_of(read_limit(cgroup, "memory/memory.limit_in_bytes"),
	               read_limit(cgroup, "memory/memory.usage_in_bytes"),
	               read_stat(cgroup, "memory/memory.stat", "total_inactive_file") +
	                       read_stat(cgroup, "memory/memory.stat", "total_active_file"));
}

static uint64_t pids_left(const char *cgroup)
{
	uint64_t limit = read_limit(cgroup, "pids.max");

	if (limit != UINT64_MAX)
		return left_of(limit, read_limit(cgroup, "pids.current"), 0);
	return left_of(read_limit(cgroup, "pids/pids.max"), read_limit(cgroup, "pids/pids.current"),
	               0);
}

/* --- what replicas use --- */

struct usage {
	uint64_t private_bytes; /* of all its processes */
	uint64_t shared_bytes;  /* OPcache: the most that one of them has touched */
	uint64_t pids;
};

static pid_t group_of(const char *pid)
{
	char path[64], line[512];
	struct text text = TEXT(path);

	text_add(&text, "/proc/%s/stat", pid);
	if (read_file(path, line, sizeof(line)) < 0)
		return 0;
	/* "12 (php-fpm: pool www) S 7 7 ...": state, parent, group. */
	const char *at = strrchr(line, ')');
	char *end;
	if (!at || strlen(at) < strlen(") S 1 1"))
		return 0;
	(void)strtol(at + strlen(") S "), &end, 10);
	return (pid_t)strtol(end, NULL, 10);
}

static uint64_t kilobytes(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at ? strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}

static void add_process(const char *pid, struct usage *usage)
{
	char path[64], status[4096];
	struct text text = TEXT(path);

	text_add(&text, "/proc/%s/status", pid);
	if (read_file(path, status, sizeof(status)) < 0)
		return;
	uint64_t shared = kilobytes(status, "\nRssShmem:");
	usage->private_bytes += kilobytes(status, "\nRssAnon:");
	if (shared > usage->shared_bytes)
		usage->shared_bytes = shared;
	usage->pids++;
}

static void look_at_processes(const pid_t masters[], size_t count, struct usage usages[])
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		pid_t group = group_of(entry->d_name);
		for (size_t i = 0; i < count; i++)
			if (group == masters[i])
				add_process(entry->d_name, &usages[i]);
	}
	if (dir)
		(void)closedir(dir);
}

struct room limits_look(const char *cgroup, const pid_t masters[], size_t count)
{
	struct usage usages[GROUPS] = { 0 };
	struct room room = room_unlimited();

	room.memory_left = memory_left(cgroup);
	room.pids_left = pids_left(cgroup);
	if (room.memory_left == UINT64_MAX && room.pids_left == UINT64_MAX)
		return room;
	if (count > GROUPS)
		count = GROUPS;
	look_at_processes(masters, count, usages);
	for (size_t i = 0; i < count; i++) {
		uint64_t memory = usages[i].private_bytes + usages[i].shared_bytes;

		if (memory > room.memory_each)
			room.memory_each = memory;
		if (usages[i].pids > room.pids_each)
			room.pids_each = usages[i].pids;
	}
	return room;
}
