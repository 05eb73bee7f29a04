/*
 * What must be quick and small to measure something else; bench/run compiles it. Times are
 * CLOCK_MONOTONIC in ns, the same clock as Python's time.monotonic_ns().
 *
 *   helper signals           "ready", then for each SIGUSR1 a line with the time at which it was
 * received helper orphans N         "forking", forks N orphans that exit at once; then "gone T0
 * T1": the time of the first fork, and that at which the last orphan had been reaped helper zombies
 * N         "held"; after a line from stdin all N orphans exit: "dead" when they have; then "gone
 * T": the time at which the last one had been reaped helper start PID COUNT WORD ARGV... enters the
 * mount and PID namespace of PID, starts ARGV COUNT times at once
 *                            ("%d" in an argument becomes 0, 1, ...), waits until each said WORD on
 * stderr
 *                            ("": until each has ended), then sends SIGQUIT: "START STOP" in ns
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MASTERS 8

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "bench helper: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void say(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		die("write");
}

static int signals(void)
{
	sigset_t set;
	siginfo_t info;
	char line[32];

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	say("ready\n");
	while (sigwaitinfo(&set, &info) == SIGUSR1) {
		snprintf(line, sizeof line, "%lld\n", now());
		say(line);
	}
	return 0;
}

/* A child forks the orphan and exits at once; the orphan's pid comes back in shared memory. */
static void fork_orphan(volatile pid_t *where, const int hold[2])
{
	char byte;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		pid_t orphan = fork();
		if (orphan == 0) {
			if (hold) {
				close(hold[1]);
				while (read(hold[0], &byte, 1) > 0)
					;
			}
			_exit(0);
		}
		*where = orphan;
		_exit(orphan < 0);
	}
	if (waitpid(pid, NULL, 0) != pid || *where <= 0)
		die("orphan");
}

static pid_t *fork_orphans(int count, const int hold[2])
{
	size_t size = sizeof(pid_t) * (size_t)count;
	pid_t *pids = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (pids == MAP_FAILED)
		die("mmap");
	for (int i = 0; i < count; i++)
		fork_orphan(&pids[i], hold);
	return pids;
}

/* A zombie still has its pid; one that was reaped has not. */
static long long wait_reaped(const pid_t *pids, int count)
{
	for (int i = 0; i < count; i++)
		while (kill(pids[i], 0) == 0)
			usleep(100);
	return now();
}

static int orphans(int count)
{
	say("forking\n");
	long long begin = now();
	pid_t *pids = fork_orphans(count, NULL);
	printf("gone %lld %lld\n", begin, wait_reaped(pids, count));
	return 0;
}

static int is_zombie(pid_t pid)
{
	char path[64], text[256] = "";

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	char *after = size > 0 ? strrchr(text, ')') : NULL;
	return after && after[2] == 'Z';
}

static int zombies(int count)
{
	int hold[2];
	char byte;

	if (pipe(hold) < 0)
		die("pipe");
	pid_t *pids = fork_orphans(count, hold);
	say("held\n");
	if (read(STDIN_FILENO, &byte, 1) != 1)
		return 1;
	close(hold[1]);
	close(hold[0]);
	for (int i = 0; i < count; i++)
		while (!is_zombie(pids[i]))
			usleep(1000);
	say("dead\n");
	printf("gone %lld\n", wait_reaped(pids, count));
	return 0;
}

/* argv with its number in the place of %d, its stderr (and stdout) in the pipe. */
static pid_t launch(char **argv, int number, int out)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (char **word = argv; *word; word++) {
		char *mark = strstr(*word, "%d");
		if (mark &&
		    asprintf(word, "%.*s%d%s", (int)(mark - *word), *word, number, mark + 2) < 0)
			_exit(126);
	}
	dup2(out, STDERR_FILENO);
	dup2(out, STDOUT_FILENO);
	execvp(argv[0], argv);
	_exit(127);
}

/* Reads until the word was there (no word: until the end); what does not come is an error that
 * shows the output. */
static void wait_word(int fd, const char *word)
{
	static char text[65536];
	size_t have = 0;
	ssize_t more;

	text[0] = '\0';
	while (!*word || !strstr(text, word)) {
		if (have == sizeof text - 1)
			have = 0;
		more = read(fd, text + have, sizeof text - 1 - have);
		if (more <= 0)
			break;
		text[have += (size_t)more] = '\0';
	}
	if (*word && !strstr(text, word)) {
		fprintf(stderr, "bench helper: never said \"%s\":\n%s", word, text);
		exit(1);
	}
}

/* For the children: a process itself stays in its PID namespace. */
static void enter(const char *pid, const char *kind, int type)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%s/ns/%s", pid, kind);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, type) < 0)
		die(path);
	close(fd);
}

static int start(const char *pid, int count, const char *word, char **argv)
{
	int pipes[MASTERS][2], status;
	pid_t pids[MASTERS];

	if (count < 1 || count > MASTERS)
		return 64;
	enter(pid, "pid", CLONE_NEWPID);
	enter(pid, "mnt", CLONE_NEWNS);
	for (int i = 0; i < count; i++)
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			die("pipe");
	long long begin = now();
	for (int i = 0; i < count; i++) {
		pids[i] = launch(argv, i, pipes[i][1]);
		close(pipes[i][1]);
	}
	for (int i = 0; i < count; i++)
		wait_word(pipes[i][0], word);
	long long ready = now();
	usleep(*word ? 200000 : 0); /* workers settle; not part of either time */
	long long quit = now();
	for (int i = 0; i < count && *word; i++)
		kill(pids[i], SIGQUIT);
	for (int i = 0; i < count; i++)
		if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
			die("a master ended badly");
	printf("%lld %lld\n", ready - begin, now() - quit);
	return 0;
}

int main(int argc, char *argv[])
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && !strcmp(argv[1], "signals"))
		return signals();
	if (argc == 3 && !strcmp(argv[1], "orphans"))
		return orphans(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "zombies"))
		return zombies(atoi(argv[2]));
	if (argc > 5 && !strcmp(argv[1], "start"))
		return start(argv[2], atoi(argv[3]), argv[4], argv + 5);
	fprintf(stderr, "bench helper: see the top of bench/helper.c\n");
	return 64;
}
