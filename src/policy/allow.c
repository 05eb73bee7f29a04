/*
 * What programs may do at all where the container has no filter of its own, or on request: Docker's
 * default list is the measure, so nobody has more than in a plain container, also of what comes
 * with later kernels.  Loaded besides the list of what is denied.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "policy/policy.h"

/* clang-format off */
static const char *const common[] = {
	"accept", "accept4", "access", "alarm", "arch_prctl", "bind", "brk", "cachestat",
	"capget", "capset", "chdir", "chmod", "chown", "chroot", "clock_getres",
	"clock_gettime", "clock_nanosleep", "clone", "close", "close_range", "connect",
	"copy_file_range", "creat", "dup", "dup2", "dup3", "epoll_create", "epoll_create1",
	"epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2",
	"execve", "exit", "exit_group", "faccessat", "faccessat2", "fadvise64", "fallocate",
	"fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "fcntl", "fdatasync",
	"fgetxattr", "flistxattr", "flock", "fork", "fremovexattr", "fsetxattr", "fstat",
	"fstatfs", "fsync", "ftruncate", "futex", "futex_requeue", "futex_wait", "futex_waitv",
	"futex_wake", "futimesat", "get_robust_list", "get_thread_area", "getcpu", "getcwd",
	"getdents", "getdents64", "getegid", "geteuid", "getgid", "getgroups", "getitimer",
	"getpeername", "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrandom",
	"getresgid", "getresuid", "getrlimit", "getrusage", "getsid", "getsockname",
	"getsockopt", "gettid", "gettimeofday", "getuid", "getxattr", "inotify_add_watch",
	"inotify_init", "inotify_init1", "inotify_rm_watch", "ioctl", "ioprio_get",
	"ioprio_set", "kill", "landlock_add_rule", "landlock_create_ruleset",
	"landlock_restrict_self", "lchown", "lgetxattr", "link", "linkat", "listen",
	"listxattr", "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "madvise",
	"membarrier", "mkdir", "mkdirat", "mknod", "mknodat", "mmap", "mprotect", "mremap",
	"msync", "munmap", "nanosleep", "newfstatat", "open", "openat", "openat2", "pause",
	"pipe", "pipe2", "poll", "ppoll", "prctl", "pread64", "preadv", "preadv2", "prlimit64",
	"pselect6", "ptrace", "pwrite64", "pwritev", "pwritev2", "read", "readlink",
	"readlinkat", "readv", "recvfrom", "recvmmsg", "recvmsg", "removexattr", "rename",
	"renameat", "renameat2", "restart_syscall", "riscv_flush_icache", "rmdir", "rseq",
	"rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
	"rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sched_get_priority_max",
	"sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
	"sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_yield",
	"seccomp", "select", "sendfile", "sendmmsg", "sendmsg", "sendto", "set_robust_list",
	"set_thread_area", "set_tid_address", "setfsgid", "setfsuid", "setgid", "setgroups",
	"setitimer", "setpgid", "setpriority", "setregid", "setresgid", "setresuid", "setreuid",
	"setrlimit", "setsid", "setsockopt", "setuid", "setxattr", "shutdown", "sigaltstack",
	"signalfd", "signalfd4", "stat", "statfs", "statx", "symlink", "symlinkat",
	"sync_file_range", "sysinfo", "tgkill", "time", "timer_create", "timer_delete",
	"timer_getoverrun", "timer_gettime", "timer_settime", "timerfd_create",
	"timerfd_gettime", "timerfd_settime", "times", "tkill", "truncate", "umask", "uname",
	"unlink", "unlinkat", "utime", "utimensat", "utimes", "vfork", "wait4", "waitid",
	"write", "writev",
};

/* What ordinary sites do without: rare ways to share memory or messages, programs
 * that are in no file, asynchronous I/O of the kernel's, real-time scheduling. */
static const char *const wide[] = {
	"execveat", "fanotify_mark", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents",
	"io_setup", "io_submit", "map_shadow_stack", "memfd_create", "memfd_secret", "mincore",
	"mlock", "mlock2", "mlockall", "mq_getsetattr", "mq_notify", "mq_open",
	"mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd",
	"munlock", "munlockall", "pidfd_send_signal", "pkey_alloc", "pkey_free",
	"pkey_mprotect", "process_mrelease", "readahead", "remap_file_pages", "sched_setattr",
	"sched_setparam", "sched_setscheduler", "semctl", "semget", "semop", "semtimedop",
	"shmat", "shmctl", "shmdt", "shmget", "splice", "sync", "syncfs", "tee",
};
/* clang-format on */

/* The kernel has pairs of AF_UNIX only, and refuses others with an error that programs know. */
static int allow_pairs(scmp_filter_ctx filter)
{
	static const unsigned families[] = { AF_UNIX, AF_INET, AF_INET6 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(families); i++) {
		const struct scmp_arg_cmp is = policy_low_half(0, families[i]);

		r = policy_rule_if(filter, SCMP_ACT_ALLOW, "socketpair", &is, 1);
	}
	return r;
}

static bool is_among(int family, const int families[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (families[i] == family)
			return true;
	return false;
}

/* As a kernel does that was built without them. */
static int refuse_families(scmp_filter_ctx filter, const int but[], size_t count)
{
	int r = 0;

	for (int family = 0; r >= 0 && family < AF_MAX; family++) {
		const struct scmp_arg_cmp is = policy_low_half(0, (unsigned)family);

		if (!is_among(family, but, count))
			r = policy_rule_if(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", &is, 1);
	}
	return r;
}

/* NETLINK is how the C library finds the addresses of this machine (getaddrinfo(3)). */
static int allow_sockets(scmp_filter_ctx filter)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	int r = allow_pairs(filter);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(families); i++)
		r = policy_allow_socket(filter, families[i]);
	return r < 0 ? r : refuse_families(filter, families, ARRAY_SIZE(families));
}

int policy_allow_strict(scmp_filter_ctx filter)
{
	int r = policy_allow(filter, common, ARRAY_SIZE(common));

	return r < 0 ? r : allow_sockets(filter);
}

int policy_allow_standard(scmp_filter_ctx filter)
{
	int r = policy_allow(filter, wide, ARRAY_SIZE(wide));

	return r < 0 ? r : policy_allow_strict(filter);
}
