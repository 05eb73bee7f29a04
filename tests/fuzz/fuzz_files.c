/*
 * Any content of /proc, of the control group and of secret files: whoever reads them ends, signals
 * nobody but what is below us, and counts no more than there is.
 *
 * The input: files, 0xff between them, each "NAME:CONTENT".  NAME is the end of its path.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "fuzz.h"

#include "confine/secrets.h"
#include "question/limits.h"
#include "util/cgroup.h"
#include "util/fs.h"
#include "util/proc.h"

enum { FILES_MAX = 64, FILE_END = 0xff, US = 7 };

static struct file {
	struct input name, content;
} files[FILES_MAX];
static int file_count, listed, signals, secrets;

/* --- the files there are; the fuzzer itself has its own --- */

ssize_t __wrap_read_file(const char *path, char *to, size_t size);
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);
int __real_closedir(DIR *dir);
int __wrap_closedir(DIR *dir);
int __wrap_kill(pid_t pid, int number);
pid_t __wrap_getpid(void);
int __real_setenv(const char *name, const char *value, int overwrite);
int __wrap_setenv(const char *name, const char *value, int overwrite);
char *__real_getenv(const char *name);
char *__wrap_getenv(const char *name);

static bool is_end_of(const struct input *name, const char *path)
{
	size_t size = input_size(name), length = strlen(path);

	return size > 0 && size <= length && memcmp(path + length - size, name->at, size) == 0;
}

ssize_t __wrap_read_file(const char *path, char *to, size_t size)
{
	assert(size > 1);
	for (int i = 0; i < file_count; i++) {
		const struct input *content = &files[i].content;

		if (!is_end_of(&files[i].name, path))
			continue;
		input_text(content, to, size);
		return (ssize_t)(input_size(content) < size ? input_size(content) : size - 1);
	}
	return -ENOENT;
}

DIR *__wrap_opendir(const char *path)
{
	if (strcmp(path, "/proc") != 0)
		return __real_opendir(path);
	listed = 0;
	return (DIR *)files;
}

/* The first part of each path. */
struct dirent *__wrap_readdir(DIR *dir)
{
	static struct dirent entry;

	if (dir != (DIR *)files)
		return __real_readdir(dir);
	if (listed == file_count)
		return NULL;
	struct input name = files[listed++].name;
	struct input first = input_until(&name, '/');
	input_text(&first, entry.d_name, sizeof(entry.d_name));
	return &entry;
}

int __wrap_closedir(DIR *dir)
{
	return dir == (DIR *)files ? 0 : __real_closedir(dir);
}

int __wrap_kill(pid_t pid, int number)
{
	assert(pid > 1 && number == SIGTERM); /* we are below us where the kernel says so */
	signals++;
	return 0;
}

pid_t __wrap_getpid(void)
{
	return US;
}

/* Secrets A and B are in files, if those can be read; C is in the environment; D is nowhere. */
char *__wrap_getenv(const char *name)
{
	static char a[] = "/run/secrets/a", b[] = "/run/secrets/b", c[] = "in the environment";

	return strcmp(name, "A_FILE") == 0   ? a
	       : strcmp(name, "B_FILE") == 0 ? b
	       : strcmp(name, "C") == 0      ? c
	                                     : __real_getenv(name);
}

int __wrap_setenv(const char *name, const char *value, int overwrite)
{
	if (strcmp(name, "A") != 0 && strcmp(name, "B") != 0)
		return __real_setenv(name, value, overwrite);
	assert(overwrite == 1);
	assert(strlen(value) < 64 * 1024);
	secrets++;
	return 0;
}

/* --- who reads them --- */

static bool is_nine(void *context, pid_t pid)
{
	assert(!context);
	return pid == 9;
}

static void read_processes(void)
{
	struct proc_confinement confinement;

	assert(proc_parent(8) == proc_parent(8));
	(void)proc_descends(8, is_nine, NULL);
	(void)proc_confinement(8, &confinement);
	int all = proc_signal_descendants(0);
	assert(all >= 0 && all <= file_count && signals == 0);
	assert(proc_signal_descendants(SIGTERM) == all && signals == all);
}

static void read_cgroup(void)
{
	static const pid_t masters[] = { 8, 9 };
	struct room room = limits_look("/cg", masters, 2);

	assert(room.memory_left <= cgroup_memory_limit("/cg"));
	assert(room.memory_left == cgroup_memory_left("/cg"));
	assert(room.pids_left == cgroup_pids_left("/cg"));
	assert(room.pids_each <= (uint64_t)file_count);
	(void)cgroup_oom_kills("/cg");
}

static void read_secrets(void)
{
	char why[512] = "";

	secrets = 0;
	int r = secrets_load("A, B\tC", why, sizeof(why));
	assert((r == 0) == (secrets == 2) && (r < 0) == (why[0] != '\0'));
	assert(secrets_load("D", why, sizeof(why)) == -ENOENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = input_of(data, size);

	signals = 0;
	for (file_count = 0; input_size(&input) > 0 && file_count < FILES_MAX; file_count++) {
		struct input file = input_until(&input, FILE_END);

		files[file_count].name = input_until(&file, ':');
		files[file_count].content = file;
	}
	read_processes();
	read_cgroup();
	read_secrets();
	return 0;
}
