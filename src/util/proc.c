#include "util/proc.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/fs.h"

/* State and parent of @pid from /proc/PID/stat.  False when it is gone. */
static bool read_stat(pid_t pid, char *state, pid_t *parent)
{
	char path[32], line[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_file(path, line, sizeof(line)) < 0)
		return false;
	/* The command's name, between brackets, may hold brackets and blanks itself. */
	const char *after_name = strrchr(line, ')');
	if (!after_name || strlen(after_name) < strlen(") S 1"))
		return false;
	*state = after_name[2];
	*parent = (pid_t)strtol(after_name + strlen(") S "), NULL, 10);
	return true;
}

pid_t proc_parent(pid_t pid)
{
	char state;
	pid_t parent;

	return read_stat(pid, &state, &parent) ? parent : 0;
}

bool proc_descends(pid_t pid, bool (*is_ancestor)(void *context, pid_t pid), void *context)
{
	for (int depth = 0; pid > 1; depth++) {
		if (depth == PROC_DEPTH_MAX || is_ancestor(context, pid))
			return true;
		pid = proc_parent(pid);
	}
	return false;
}

/* The number behind @key in /proc/PID/status, or @otherwise. */
static unsigned status_number(const char *status, const char *key, unsigned otherwise)
{
	const char *at = strstr(status, key);

	return at ? (unsigned)strtoul(at + strlen(key), NULL, 10) : otherwise;
}

int proc_confinement(pid_t pid, struct proc_confinement *confinement)
{
	char path[32], status[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	ssize_t n = read_file(path, status, sizeof(status));
	if (n < 0)
		return (int)n;
	confinement->no_new_privileges = status_number(status, "\nNoNewPrivs:", 0) != 0;
	/* Before Linux 5.9 only whether there is one: 2 is SECCOMP_MODE_FILTER. */
	unsigned one = status_number(status, "\nSeccomp:", 0) == 2;
	confinement->filters = status_number(status, "\nSeccomp_filters:", one);
	return 0;
}

static bool is_below_us(pid_t pid)
{
	for (int depth = 0; pid > 1 && depth < PROC_DEPTH_MAX; depth++) {
		pid = proc_parent(pid);
		if (pid == getpid())
			return true;
	}
	return false;
}

int proc_signal_descendants(int number)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	int count = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10), parent;
		char state;

		if (pid <= 0 || !read_stat(pid, &state, &parent) || state == 'Z' ||
		    !is_below_us(pid))
			continue;
		count++;
		if (number != 0)
			(void)kill(pid, number);
	}
	(void)closedir(dir);
	return count;
}
