#include "question/limits.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cgroup.h"
#include "util/fs.h"
#include "util/text.h"

enum { GROUPS = 16 };

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

	room.memory_left = cgroup_memory_left(cgroup);
	room.pids_left = cgroup_pids_left(cgroup);
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
