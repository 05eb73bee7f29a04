#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

#include "../util/forked.h"
#include "../util/scratch.h"
#include "confine/filter.h"
#include "process/spawn.h"
#include "util/cleanup.h"
#include "util/fs.h"

enum { NOBODY = 65534, SAID_SIZE = 8192 };

static char self[PATH_MAX]; /* this program, which is its own child */

/* --- the child: says on stderr how it was started --- */

static void report_fds(void)
{
	char what[PATH_MAX];

	for (int fd = 0; fd < 1024; fd++) {
		ssize_t n = readlink(at("/proc/self/fd/%d", fd), what, sizeof(what) - 1);

		if (n > 0)
			dprintf(STDERR_FILENO, "fd %d: %.*s\n", fd, (int)n, what);
	}
}

static void report_status(void)
{
	static const char *const keys[] = { "Uid:",    "Gid:",        "Groups:",  "CapPrm:",
		                            "CapEff:", "CapBnd:",     "CapInh:",  "CapAmb:",
		                            "SigBlk:", "NoNewPrivs:", "Seccomp:", "Umask:" };
	FILE *status = fopen("/proc/self/status", "re");
	char line[512];

	while (status && fgets(line, sizeof(line), status))
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			if (strncmp(line, keys[i], strlen(keys[i])) == 0)
				dprintf(STDERR_FILENO, "%s", line);
	if (status)
		fclose(status);
}

static int report(int argc, char *argv[])
{
	int death = 0;

	report_fds();
	report_status();
	for (int i = 0; i < argc; i++)
		dprintf(STDERR_FILENO, "arg %d: %s\n", i, argv[i]);
	for (char **variable = environ; *variable; variable++)
		dprintf(STDERR_FILENO, "env %s\n", *variable);
	dprintf(STDERR_FILENO, "leader: %d\n", getsid(0) == getpid() && getpgrp() == getpid());
	(void)prctl(PR_GET_PDEATHSIG, &death);
	dprintf(STDERR_FILENO, "death: %d\n", death);
	dprintf(STDERR_FILENO, "pipe ignored: %d\n", signal(SIGPIPE, SIG_DFL) == SIG_IGN);
	dprintf(STDOUT_FILENO, "on stdout\n");
	return 7;
}

/* --- starting it --- */

static const char *const report_argv[] = { "reporter", "report", "two words", NULL };
static const char *const report_envp[] = { "ONE=1", "TWO=a b", NULL };

static struct inheritance inheritance;

struct run {
	struct spawn spawn;
	int out[2];
	int status;
	int error; /* spawn_report() */
	enum spawn_stage stage;
	char said[SAID_SIZE];
};

static char run_dir[SCRATCH_PATH_SIZE];

static void prepare(struct run *run)
{
	memset(run, 0, sizeof(*run));
	assert_int_equal(pipe2(run->out, O_CLOEXEC), 0);
	inheritance.umask = 027;
	sigemptyset(&inheritance.mask);
	sigaddset(&inheritance.mask, SIGUSR2);
	run->spawn = (struct spawn){
		.inheritance = &inheritance,
		.path = self,
		.program_fd = FD_NONE,
		.argv = report_argv,
		.envp = report_envp,
		.stderr_fd = run->out[1],
		.secrets = "",
		.identity = identity_current(),
		.pin = PIN_NONE,
		.cover = { .path = run_dir, .read_only = "pin", .writable = "pid" },
		.link = "",
		.release = "",
	};
}

static void read_all(struct run *run)
{
	size_t length = 0;
	ssize_t n;

	fd_close(&run->out[1]);
	while ((n = read(run->out[0], run->said + length, SAID_SIZE - 1 - length)) > 0)
		length += (size_t)n;
	fd_close(&run->out[0]);
}

/* Start, listen to it and wait for its end. */
static void go(struct run *run)
{
	struct child child = { 0 };

	CHECK(spawn_start(&run->spawn, &child) == 0);
	CHECK(child.pid > 0);
	read_all(run);
	CHECK(waitpid(child.pid, &run->status, 0) == child.pid);
	run->error = spawn_report(&child.report_fd, &run->stage);
	CHECK(child.report_fd == FD_NONE);
}

static void expect(const struct run *run, const char *line)
{
	char whole[PATH_MAX + 64];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (strstr(run->said, whole) == NULL)
		fail_msg("no line '%s' in\n%s", line, run->said);
}

static unsigned count_fds(const struct run *run)
{
	unsigned count = 0;

	for (const char *at_fd = run->said; (at_fd = strstr(at_fd, "fd ")); at_fd++)
		count += at_fd == run->said || at_fd[-1] == '\n';
	return count;
}

static void test_a_program_runs_with_its_arguments_and_environment_alone(void **state)
{
	struct run run;

	(void)state;
	prepare(&run);
	go(&run);
	assert_int_equal(run.error, 0);
	assert_int_equal(WEXITSTATUS(run.status), 7);
	expect(&run, "arg 0: reporter");
	expect(&run, "arg 1: report");
	expect(&run, "arg 2: two words");
	assert_null(strstr(run.said, "arg 3"));
	expect(&run, "env ONE=1");
	expect(&run, "env TWO=a b");
	assert_null(strstr(run.said, "env PATH"));
	expect(&run, "on stdout");
}

static void test_it_leads_a_session_of_its_own_and_dies_with_us(void **state)
{
	struct run run;
	char death[32];

	(void)state;
	prepare(&run);
	go(&run);
	expect(&run, "leader: 1");
	snprintf(death, sizeof(death), "death: %d", SIGTERM);
	expect(&run, death);
}

static void test_it_gets_the_mask_and_umask_we_were_started_with(void **state)
{
	struct run run;
	sigset_t all, before;

	(void)state;
	prepare(&run);
	sigfillset(&all);
	assert_int_equal(sigprocmask(SIG_SETMASK, &all, &before), 0);
	void (*pipe_before)(int) = signal(SIGPIPE, SIG_IGN);
	go(&run);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	signal(SIGPIPE, pipe_before);
	expect(&run, "SigBlk:\t0000000000000800"); /* SIGUSR2 is 12 */
	expect(&run, "Umask:\t0027");
	expect(&run, "pipe ignored: 0");
}

/* --- descriptors --- */

static int numbered(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_descriptors_are_placed_in_order_and_nothing_else_is_open(void **state)
{
	struct run run;
	int fds[20], open_too = dup(STDERR_FILENO); /* not even close-on-exec */

	(void)state;
	prepare(&run);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = numbered(at("number%zu", i));
	/* The later ones first, so that each is in another's way. */
	run.spawn.fd_count = ARRAY_SIZE(fds);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		run.spawn.fds[i] = fds[ARRAY_SIZE(fds) - 1 - i];
	go(&run);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		expect(&run, at("fd %zu: /memfd:number%zu (deleted)", SPAWN_FIRST_FD + i,
		                ARRAY_SIZE(fds) - 1 - i));
		close(fds[i]);
	}
	assert_int_equal(count_fds(&run), 3 + ARRAY_SIZE(fds));
	assert_non_null(strstr(run.said, "fd 0: /dev/null\n"));
	assert_non_null(strstr(run.said, "fd 1: pipe:"));
	assert_non_null(strstr(run.said, "fd 2: pipe:"));
	close(open_too);
}

static void test_one_descriptor_may_be_handed_over_twice(void **state)
{
	struct run run;
	int fd = numbered("twice");

	(void)state;
	prepare(&run);
	run.spawn.fd_count = 3;
	run.spawn.fds[0] = run.spawn.fds[1] = fd;
	run.spawn.fds[2] = run.out[1];
	go(&run);
	expect(&run, "fd 3: /memfd:twice (deleted)");
	expect(&run, "fd 4: /memfd:twice (deleted)");
	assert_non_null(strstr(run.said, "fd 5: pipe:"));
	assert_int_equal(count_fds(&run), 6);
	close(fd);
}

static void test_as_many_as_there_may_be_and_not_one_more(void **state)
{
	struct run run;
	struct child child = { .pid = -5 };
	int fd = numbered("many");

	(void)state;
	prepare(&run);
	for (size_t i = 0; i < SPAWN_FDS_MAX; i++)
		run.spawn.fds[i] = fd;
	run.spawn.fd_count = SPAWN_FDS_MAX + 1;
	assert_int_equal(spawn_start(&run.spawn, &child), -E2BIG);
	assert_int_equal(child.pid, -5);
	run.spawn.fd_count = SPAWN_FDS_MAX;
	go(&run);
	assert_int_equal(run.error, 0);
	assert_int_equal(count_fds(&run), 3 + SPAWN_FDS_MAX);
	close(fd);
}

/* --- power --- */

static void test_root_becomes_the_pools_user_without_capabilities(void **state)
{
	struct run run;

	(void)state;
	only_as_root();
	prepare(&run);
	run.spawn.identity = (struct identity){
		.uid = NOBODY, .gid = 1234, .group_count = 2, .groups = { 1234, 2345 }
	};
	go(&run);
	assert_int_equal(run.error, 0);
	expect(&run, "Uid:\t65534\t65534\t65534\t65534");
	expect(&run, "Gid:\t1234\t1234\t1234\t1234");
	assert_non_null(strstr(run.said, "Groups:\t1234 2345"));
	expect(&run, "CapPrm:\t0000000000000000");
	expect(&run, "CapEff:\t0000000000000000");
	expect(&run, "CapInh:\t0000000000000000");
	expect(&run, "CapBnd:\t0000000000000000");
	expect(&run, "CapAmb:\t0000000000000000");
	expect(&run, "NoNewPrivs:\t1");
}

static void test_it_lives_under_the_filter(void **state)
{
	struct run run;

	(void)state;
	prepare(&run);
	run.spawn.filters = filter_deny(&(struct filter_needs){ false, false });
	go(&run);
	assert_int_equal(run.error, 0);
	expect(&run, "Seccomp:\t2");
	assert_int_equal(count_fds(&run), 3);
}

static void test_it_sees_its_own_release(void **state)
{
	static const char *const cat[] = { "sh", "-c", "cat \"$SITE/current/index\" >&2", NULL };
	char dir[SCRATCH_PATH_SIZE], variable[SCRATCH_PATH_SIZE + 8];
	const char *envp[] = { "PATH=/usr/bin:/bin", variable, NULL };
	struct run run;

	(void)state;
	only_as_root();
	scratch_dir(dir);
	assert_int_equal(mkdir(at("%s/1", dir), 0755), 0);
	assert_int_equal(mkdir(at("%s/2", dir), 0755), 0);
	scratch_file(at("%s/1/index", dir), "one");
	scratch_file(at("%s/2/index", dir), "two");
	assert_int_equal(symlink("2", at("%s/current", dir)), 0);
	snprintf(variable, sizeof(variable), "SITE=%s", dir);
	prepare(&run);
	run.spawn.path = "/bin/sh";
	run.spawn.argv = cat;
	run.spawn.envp = envp;
	run.spawn.identity = (struct identity){ .uid = NOBODY, .gid = NOBODY };
	run.spawn.pin = PIN_MOUNT;
	run.spawn.link = at("%s/current", dir);
	run.spawn.release = at("%s/1", dir); /* not what the link names now */
	go(&run);
	assert_int_equal(run.error, 0);
	assert_string_equal(run.said, "one");
}

static int copy_of(const char *program)
{
	int fd = numbered("copy"), from = open(program, O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_int_equal(fstat(from, &st), 0);
	assert_int_equal(sendfile(fd, from, NULL, (size_t)st.st_size), st.st_size);
	assert_int_equal(fchmod(fd, 0111), 0);
	close(from);
	return fd;
}

/* The owner of /proc/PID is root's where the process is not dumpable (proc(5)). */
static void test_who_may_not_read_his_program_cannot_be_looked_into(void **state)
{
	static const char *const look[] = { "sh", "-c",
		                            "stat -c %u /proc/$$/environ; cat /proc/$$/comm; "
		                            "readlink /proc/$$/fd/67",
		                            NULL };
	char link[SCRATCH_PATH_SIZE];
	struct run run;

	(void)state;
	only_as_root();
	snprintf(link, sizeof(link), "%s", at("%s/shell", scratch_root));
	assert_int_equal(symlink("/proc/self/fd/67", link), 0);
	for (int copied = 1; copied >= 0; copied--) {
		prepare(&run);
		run.spawn.path = "/bin/sh";
		run.spawn.argv = look;
		run.spawn.identity = (struct identity){ .uid = NOBODY, .gid = NOBODY };
		run.spawn.program_fd = copy_of("/bin/sh");
		/* Where the copy cannot be run the program is. */
		run.spawn.program_link = copied ? link : "/nowhere/shell";
		go(&run);
		assert_int_equal(run.error, 0);
		assert_string_equal(run.said, copied ? "0\nshell\n" : "65534\nsh\n");
		close(run.spawn.program_fd);
	}
}

static void test_secrets_are_read_from_their_files(void **state)
{
	struct run run;
	const char *envp[] = { at("TOKEN_FILE=%s/token", scratch_root), "OTHER=1", NULL };

	(void)state;
	scratch_file(at("%s/token", scratch_root), "s3cret\n");
	prepare(&run);
	run.spawn.envp = envp;
	run.spawn.secrets = "TOKEN OTHER";
	go(&run);
	assert_int_equal(run.error, 0);
	expect(&run, "env TOKEN=s3cret");
	expect(&run, "env OTHER=1");
}

/* --- stages that fail --- */

static void missing_secret(struct run *run)
{
	static const char *const envp[] = { "TOKEN_FILE=/nowhere/token", NULL };

	run->spawn.envp = envp;
	run->spawn.secrets = "TOKEN";
}

/* The first forbids to load another. */
static void filters_of_a_helper(struct run *run)
{
	run->spawn.filters = FILTER_BIT(FILTER_HELPER_COPY) | FILTER_BIT(FILTER_DENY);
}

static void become_nobody(void)
{
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static void no_right_to_groups(struct run *run)
{
	become_nobody();
	run->spawn.identity = (struct identity){ .uid = 1, .gid = 1 };
}

static void no_right_to_mount(struct run *run)
{
	become_nobody();
	run->spawn.identity = identity_current();
	run->spawn.pin = PIN_MOUNT;
}

static void no_such_site(struct run *run)
{
	run->spawn.pin = PIN_MOUNT;
	run->spawn.link = "/nowhere/current";
	run->spawn.release = "/nowhere/1";
}

static void no_such_user(struct run *run)
{
	run->spawn.identity.uid = 1;
	run->spawn.identity.gid = 1;
	/* Root without CAP_SETUID, which is number 7. */
	struct {
		unsigned version;
		int pid;
	} header = { 0x20080522, 0 };
	struct {
		unsigned effective, permitted, inheritable;
	} data[2];
	CHECK(syscall(SYS_capget, &header, data) == 0);
	data[0].effective &= ~(1u << 7);
	CHECK(syscall(SYS_capset, &header, data) == 0);
}

static void no_right_to_priority(struct run *run)
{
	become_nobody();
	run->spawn.identity = identity_current();
	run->spawn.rlimits = (struct rlimits){ .has_priority = true, .priority = -5 };
}

static void bad_descriptor(struct run *run)
{
	run->spawn.fd_count = 2;
	run->spawn.fds[0] = run->out[1];
	run->spawn.fds[1] = 1000;
}

static void bad_stderr(struct run *run)
{
	run->spawn.stderr_fd = 1000;
}

static void missing_program(struct run *run)
{
	run->spawn.path = "/nowhere/php-fpm";
}

static void directory_as_program(struct run *run)
{
	run->spawn.path = "/";
}

static void text_as_program(struct run *run)
{
	run->spawn.path = at("%s/text", scratch_root);
}

/* clang-format off */
static const struct failing {
	const char *says;
	void (*spoil)(struct run *run);
	enum spawn_stage stage;
	int error;
} failing[] = {
	{ "a secret that is not there",    missing_secret,       STAGE_SECRETS,      ENOENT  },
	{ "groups of another",             no_right_to_groups,   STAGE_GROUPS,       EPERM   },
	{ "no right to mount",             no_right_to_mount,    STAGE_NAMESPACE,    EPERM   },
	{ "a site that is not there",      no_such_site,         STAGE_PRIVATE_TREE, ENOENT  },
	{ "no right to a priority",        no_right_to_priority, STAGE_LIMITS,       EACCES  },
	{ "no right to become the user",   no_such_user,         STAGE_USER,         EPERM   },
	{ "a descriptor that is not open", bad_descriptor,       STAGE_DESCRIPTORS,  EBADF   },
	{ "a stderr that is not open",     bad_stderr,           STAGE_DESCRIPTORS,  EBADF   },
	{ "filters that do not go together", filters_of_a_helper, STAGE_FILTERS,     ENOSYS  },
	{ "no program",                    missing_program,      STAGE_EXEC,         ENOENT  },
	{ "a directory",                   directory_as_program, STAGE_EXEC,         EACCES  },
	{ "a file that is no program",     text_as_program,      STAGE_EXEC,         ENOEXEC },
};
/* clang-format on */

/* Some have to become somebody else to fail. */
static void fail_in_stage(void *context)
{
	const struct failing *row = context;
	static struct run run;

	prepare(&run);
	row->spoil(&run);
	go(&run);
	errno = -run.error;
	CHECK(run.error == -row->error);
	CHECK(run.stage == row->stage);
	CHECK(WIFEXITED(run.status) && WEXITSTATUS(run.status) == EXIT_FAILURE);
	CHECK(run.said[0] == '\0');
}

static void test_each_stage_that_fails_is_reported(void **state)
{
	(void)state;
	only_as_root();
	scratch_file(at("%s/text", scratch_root), "just text");
	assert_int_equal(chmod(at("%s/text", scratch_root), 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(failing); i++)
		in_child_row(failing[i].says, fail_in_stage, (void *)&failing[i]);
}

static void test_who_fails_is_only_heard_when_it_is_dead(void **state)
{
	struct child child;
	struct run run;
	enum spawn_stage stage;
	siginfo_t info;

	(void)state;
	prepare(&run);
	run.spawn.path = "/nowhere";
	assert_int_equal(spawn_start(&run.spawn, &child), 0);
	assert_int_equal(fcntl(child.report_fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(child.report_fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED), 0);
	assert_int_equal(spawn_report(&child.report_fd, &stage), -ENOENT);
	assert_int_equal(spawn_report(&child.report_fd, &stage), 0);
	read_all(&run);
}

static int begin(void **state)
{
	int r = scratch_begin(state);

	if (r < 0)
		return r;
	scratch_dir(run_dir);
	return mkdir(at("%s/pin", run_dir), 0755) < 0 ? -1 : mkdir(at("%s/pid", run_dir), 0755);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_program_runs_with_its_arguments_and_environment_alone),
		TEST(test_it_leads_a_session_of_its_own_and_dies_with_us),
		TEST(test_it_gets_the_mask_and_umask_we_were_started_with),
		TEST(test_descriptors_are_placed_in_order_and_nothing_else_is_open),
		TEST(test_one_descriptor_may_be_handed_over_twice),
		TEST(test_as_many_as_there_may_be_and_not_one_more),
		TEST(test_root_becomes_the_pools_user_without_capabilities),
		TEST(test_it_lives_under_the_filter),
		TEST(test_it_sees_its_own_release),
		TEST(test_who_may_not_read_his_program_cannot_be_looked_into),
		TEST(test_secrets_are_read_from_their_files),
		TEST(test_each_stage_that_fails_is_reported),
		TEST(test_who_fails_is_only_heard_when_it_is_dead),
	};

	if (argc > 1 && strcmp(argv[1], "report") == 0)
		return report(argc, argv);
	strcpy(self, "/proc/self/exe");
	return cmocka_run_group_tests_name("process/spawn", tests, begin, scratch_end);
}
