#include "cli/processes.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/fs.h"
#include "util/macros.h"
#include "util/text.h"

static ssize_t read_of(pid_t pid, const char *name, char *to, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return read_file(path, to, size);
}

/* The sum of all lines "Private_...: N kB". */
static bool private_of_rollup(pid_t pid, uint64_t *bytes)
{
	char text[4096];

	if (read_of(pid, "smaps_rollup", text, sizeof(text)) <= 0)
		return false;
	*bytes = 0;
	for (const char *at = text; (at = strstr(at, "\nPrivate_"));) {
		at = strchr(at, ':');
		if (!at)
			break;
		*bytes += strtoull(at + 1, NULL, 10) * 1024;
	}
	return true;
}

static bool private_of_statm(pid_t pid, uint64_t *bytes)
{
	char text[256], *at;

	if (read_of(pid, "statm", text, sizeof(text)) <= 0)
		return false;
	(void)strtoull(text, &at, 10);
	uint64_t resident = strtoull(at, &at, 10);
	uint64_t shared = strtoull(at, &at, 10);
	*bytes = (resident > shared ? resident - shared : 0) * (uint64_t)getpagesize();
	return true;
}

bool process_memory(pid_t pid, uint64_t *bytes)
{
	return private_of_rollup(pid, bytes) || private_of_statm(pid, bytes);
}

/* The arguments, as titles are written by those who rename themselves; else the name. */
static void read_title(struct process_view *process, const char *name, size_t name_length)
{
	char line[PROCESS_TITLE_SIZE];
	ssize_t n = read_of(process->pid, "cmdline", line, sizeof(line));
	struct text text = TEXT(process->title);

	while (n > 0 && line[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (line[i] == '\0')
			line[i] = ' ';
	if (n > 0)
		text_add(&text, "%s", line);
	else
		text_add(&text, "[%.*s]", (int)name_length, name);
	text_tame(process->title, sizeof(process->title));
}

/* proc(5): the name is between brackets and may hold brackets; the start is the 22nd field. */
static bool read_process(pid_t pid, struct process_view *process)
{
	char line[1024];

	if (read_of(pid, "stat", line, sizeof(line)) <= 0)
		return false;
	const char *name = strchr(line, '('), *end = strrchr(line, ')');
	if (!name || !end || end < name || strlen(end) < strlen(") S 1"))
		return false;
	*process = (struct process_view){ .pid = pid, .state = end[2] };
	char *at;
	process->parent = (pid_t)strtol(end + strlen(") S "), &at, 10);
	for (int field = 5; field < 22; field++)
		(void)strtoll(at, &at, 10);
	uint64_t began_ms = strtoull(at, NULL, 10) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t now_ms = clock_ms();
	process->age_ms = now_ms > began_ms ? now_ms - began_ms : 0;
	read_title(process, name + 1, (size_t)(end - name - 1));
	process->has_memory = process->state != 'Z' && process_memory(pid, &process->memory);
	return true;
}

static int by_pid(const void *a, const void *b)
{
	const struct process_view *one = a, *other = b;

	return (one->pid > other->pid) - (one->pid < other->pid);
}

void processes_read(struct processes *processes)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;

	processes->count = 0;
	while (dir && processes->count < ARRAY_SIZE(processes->list) && (entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && read_process(pid, &processes->list[processes->count]))
			processes->count++;
	}
	if (dir)
		(void)closedir(dir);
	qsort(processes->list, processes->count, sizeof(processes->list[0]), by_pid);
}

bool processes_sum(const struct processes *processes, pid_t pid, uint64_t *bytes, unsigned *count)
{
	bool found = false;

	*bytes = 0;
	*count = 0;
	for (unsigned i = 0; i < processes->count; i++) {
		const struct process_view *process = &processes->list[i];

		if (process->pid != pid && process->parent != pid)
			continue;
		found = found || process->pid == pid;
		*bytes += process->memory;
		++*count;
	}
	return found;
}
