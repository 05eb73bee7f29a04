/*
 * leaks.h - no test leaves a descriptor or a child behind.
 *
 * TEST(name) is a test whose open descriptors are the same before and after, and which has no child
 * left, living or dead.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { LEAKS_FDS = 1024 };

static bool leaks_open[LEAKS_FDS];

static inline void leaks_list(bool open[LEAKS_FDS])
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;

	memset(open, 0, LEAKS_FDS * sizeof(*open));
	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(dir) && fd < LEAKS_FDS)
			open[fd] = true;
	}
	if (dir)
		(void)closedir(dir);
}

static inline int leaks_before(void **state)
{
	(void)state;
	leaks_list(leaks_open);
	return 0;
}

static inline int leaks_after(void **state)
{
	bool now[LEAKS_FDS];
	int bad = 0;

	(void)state;
	leaks_list(now);
	for (int fd = 0; fd < LEAKS_FDS; fd++) {
		char path[64], what[256] = "";

		if (now[fd] == leaks_open[fd])
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, what, sizeof(what) - 1) < 0)
			what[0] = '\0';
		print_error("descriptor %d was %s: %s\n", fd, now[fd] ? "left open" : "closed",
		            what);
		bad = -1;
	}
	if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) {
		print_error("a child was left behind\n");
		bad = -1;
	}
	return bad;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, leaks_before, leaks_after)
