/* What each kind of helper needs, and nothing else: see enum helper_power (process/helper.h). */
#include <sys/socket.h>

#include "policy/policy.h"

const char *const *policy_extra;

/* clang-format off */

/* To run, to wait, to answer on a socket that is there, and to end. */
static const char *const run[] = {
	"read", "readv", "pread64", "write", "writev", "pwrite64", "lseek", "close", "dup", "fcntl",
	"fstat", "newfstatat", "statx",
	"recvfrom", "recvmsg", "sendto", "sendmsg", "getsockopt", "shutdown",
	"poll", "ppoll", "select", "pselect6",
	"brk", "mmap", "munmap", "mremap", "mprotect", "madvise",
	"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
	"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getrandom",
	"prlimit64", "getrlimit", "uname", "sysinfo",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "restart_syscall", "tgkill",
	"futex", "sched_yield", "exit", "exit_group",
};

static const char *const read_files[] = {
	"open", "openat", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "stat", "lstat",
	"getdents64", "getcwd", "statfs", "fstatfs", "ioctl",
};

static const char *const change_files[] = {
	"symlink", "symlinkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat",
	"mkdir", "mkdirat", "rmdir", "ftruncate", "fsync", "fdatasync", "fchmod", "fchown", "flock",
	"utimensat",
};

static const char *const connect_sockets[] = {
	"connect", "bind", "getsockname", "getpeername", "setsockopt", "sendmmsg", "recvmmsg",
};

static const char *const make_namespaces[] = {
	"clone", "fork", "wait4", "unshare", "mount", "umount2", "chdir", "fchdir", "mknod", "mknodat",
	"prctl", "capget", "capset", "setgroups", "setresgid", "setresuid",
};

/* clang-format on */

static int allow_run(scmp_filter_ctx filter)
{
	int r = policy_allow(filter, run, ARRAY_SIZE(run));

	for (size_t i = 0; r >= 0 && policy_extra[i]; i++)
		r = policy_rule(filter, SCMP_ACT_ALLOW, policy_extra[i]);
	return r;
}

static int allow_files(scmp_filter_ctx filter)
{
	return policy_allow(filter, read_files, ARRAY_SIZE(read_files));
}

/* Copies bytes from one descriptor that it has to another. */
int policy_helper_copy(scmp_filter_ctx filter)
{
	return allow_run(filter);
}

/* Chooses on which processors others run. */
int policy_helper_yield(scmp_filter_ctx filter)
{
	int r = allow_run(filter);

	if (r >= 0)
		r = allow_files(filter);
	if (r >= 0)
		r = policy_rule(filter, SCMP_ACT_ALLOW, "sched_getaffinity");
	return r < 0 ? r : policy_rule(filter, SCMP_ACT_ALLOW, "sched_setaffinity");
}

/* Speaks with our own FPM, by unix sockets. */
int policy_helper_private(scmp_filter_ctx filter)
{
	int r = allow_run(filter);

	if (r >= 0)
		r = policy_allow(filter, connect_sockets, ARRAY_SIZE(connect_sockets));
	return r < 0 ? r : policy_allow_socket(filter, AF_UNIX);
}

/* Asks name servers and stores, and writes what it finds into a memfd. */
int policy_helper_network(scmp_filter_ctx filter)
{
	static const int families[] = { AF_INET, AF_INET6, AF_NETLINK };
	const struct scmp_arg_cmp no_signal = policy_low_half(1, 0);
	int r = policy_helper_private(filter);

	if (r >= 0)
		r = allow_files(filter);
	if (r >= 0)
		r = policy_rule(filter, SCMP_ACT_ALLOW, "memfd_create");
	/* Does the worker live whose lock this is? */
	if (r >= 0)
		r = policy_rule_if(filter, SCMP_ACT_ALLOW, "kill", &no_signal, 1);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(families); i++)
		r = policy_allow_socket(filter, families[i]);
	return r;
}

/* Moves symlinks. */
int policy_helper_links(scmp_filter_ctx filter)
{
	int r = allow_run(filter);

	if (r >= 0)
		r = allow_files(filter);
	return r < 0 ? r : policy_allow(filter, change_files, ARRAY_SIZE(change_files));
}

/* Does what a replica will do before it gives its power up. */
int policy_helper_trial(scmp_filter_ctx filter)
{
	int r = policy_helper_links(filter);

	return r < 0 ? r : policy_allow(filter, make_namespaces, ARRAY_SIZE(make_namespaces));
}
