/* What no process of an FPM tree may do, whatever the container allows. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "policy/policy.h"

#define REFUSE SCMP_ACT_ERRNO(EPERM)

static const char *const denied[] = {
	/* mounts and namespaces */
	"mount",
	"umount2",
	"pivot_root",
	"unshare",
	"setns",
	"open_tree",
	"move_mount",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	/* the kernel's rarer doors */
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"keyctl",
	"add_key",
	"request_key",
	"lookup_dcookie",
	"fanotify_init",
	"name_to_handle_at",
	"open_by_handle_at",
	"quotactl",
	"quotactl_fd",
	"nfsservctl",
	"vmsplice",
	"uselib",
	"ustat",
	"sysfs",
	"_sysctl",
	/* the machine */
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"reboot",
	"swapon",
	"swapoff",
	"acct",
	"syslog",
	"iopl",
	"ioperm",
	"modify_ldt",
	"vhangup",
	"settimeofday",
	"clock_settime",
	"clock_adjtime",
	"adjtimex",
	"stime",
	"sethostname",
	"setdomainname",
	"personality",
	/* other processes */
	"process_vm_readv",
	"process_vm_writev",
	"process_madvise",
	"kcmp",
	"pidfd_getfd",
	"pidfd_open",
	"migrate_pages",
	"move_pages",
	"mbind",
	"set_mempolicy",
	"get_mempolicy",
	"set_mempolicy_home_node",
};

static const int denied_families[] = {
	AF_PACKET, AF_KEY, AF_CAN, AF_TIPC, AF_BLUETOOTH, AF_ALG, AF_VSOCK, AF_RDS, 44 /* AF_XDP */,
};

/* With these a worker could join the group of our public sockets and take its connections. */
static const int denied_options[] = {
	SO_REUSEPORT,
	SO_ATTACH_REUSEPORT_CBPF,
	SO_ATTACH_REUSEPORT_EBPF,
	SO_DETACH_REUSEPORT_BPF,
};

static int refuse_if(scmp_filter_ctx filter, const char *name, struct scmp_arg_cmp condition)
{
	return policy_rule_if(filter, REFUSE, name, &condition, 1);
}

/* A new thread or process is fine, a new namespace is not.  CLONE_NEWTIME is no flag of clone(). */
static int refuse_namespaces(scmp_filter_ctx filter)
{
	static const unsigned flags[] = {
		CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,    CLONE_NEWUSER,
		CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP,
	};
	int r = policy_rule(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3");

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(flags); i++)
		r = refuse_if(filter, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
	return r;
}

static int refuse_sockets(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(denied_families); i++)
		r = refuse_if(filter, "socket", policy_low_half(0, (unsigned)denied_families[i]));
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(denied_options); i++) {
		const struct scmp_arg_cmp option[] = {
			policy_low_half(1, SOL_SOCKET),
			policy_low_half(2, (unsigned)denied_options[i]),
		};

		r = policy_rule_if(filter, REFUSE, "setsockopt", option, ARRAY_SIZE(option));
	}
	return r;
}

/* Typing into somebody's terminal, and device files. */
static int refuse_devices(scmp_filter_ctx filter)
{
	static const unsigned requests[] = { TIOCSTI, 0x541c /* TIOCLINUX */ };
	static const unsigned kinds[] = { S_IFCHR, S_IFBLK };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(requests); i++)
		r = refuse_if(filter, "ioctl", policy_low_half(1, requests[i]));
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(kinds); i++) {
		r = refuse_if(filter, "mknodat", SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i]));
		if (r >= 0)
			r = refuse_if(filter, "mknod",
			              SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i]));
	}
	return r;
}

/*
 * Process 1 is twinit where it matters.  Where PHP has its user it could otherwise be stopped, by a
 * limit of its processor time too, or be flooded until a signal of the operator's is one of many.
 */
static int refuse_init(scmp_filter_ctx filter)
{
	static const struct {
		const char *name;
		unsigned argument; /* that names the process */
	} calls[] = {
		{ "kill", 0 },
		{ "tkill", 0 },
		{ "tgkill", 0 },
		{ "rt_sigqueueinfo", 0 },
		{ "rt_tgsigqueueinfo", 0 },
		{ "prlimit64", 0 },
		{ "sched_setaffinity", 0 },
		{ "sched_setattr", 0 },
		{ "sched_setparam", 0 },
		{ "sched_setscheduler", 0 },
		{ "setpriority", 1 },
		{ "ioprio_set", 1 },
	};
	int r = policy_rule(filter, REFUSE, "pidfd_send_signal");

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(calls); i++)
		r = refuse_if(filter, calls[i].name, policy_low_half(calls[i].argument, 1));
	return r;
}

int policy_deny(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(denied); i++)
		r = policy_rule(filter, REFUSE, denied[i]);
	if (r >= 0)
		r = refuse_namespaces(filter);
	if (r >= 0)
		r = refuse_sockets(filter);
	if (r >= 0)
		r = refuse_devices(filter);
	return r < 0 ? r : refuse_init(filter);
}

int policy_deny_ptrace(scmp_filter_ctx filter)
{
	return policy_rule(filter, REFUSE, "ptrace");
}

int policy_deny_chroot(scmp_filter_ctx filter)
{
	return policy_rule(filter, REFUSE, "chroot");
}

/*
 * Who opens a log file gets descriptor 0 instead, where /dev/null is: an error number of 0 is what
 * the call returns.
 */
int policy_no_logs(scmp_filter_ctx filter)
{
	const scmp_datum_t flags = O_ACCMODE | O_CREAT | O_APPEND;
	const scmp_datum_t log = O_WRONLY | O_CREAT | O_APPEND;
	const struct scmp_arg_cmp at = SCMP_A2(SCMP_CMP_MASKED_EQ, flags, log);
	const struct scmp_arg_cmp plain = SCMP_A1(SCMP_CMP_MASKED_EQ, flags, log);
	int r = policy_rule_if(filter, SCMP_ACT_ERRNO(0), "openat", &at, 1);

	return r < 0 ? r : policy_rule_if(filter, SCMP_ACT_ERRNO(0), "open", &plain, 1);
}

/* Not AF_UNIX: the name service of users may be a daemon (getpwnam(3), sssd). */
int policy_deny_network(scmp_filter_ctx filter)
{
	return refuse_if(filter, "socket", SCMP_A0_32(SCMP_CMP_NE, AF_UNIX));
}

/* Who is ended by his process group must not leave it, and who only tells serves nobody. */
int policy_deny_leaving(scmp_filter_ctx filter)
{
	static const char *const calls[] = { "setpgid", "setsid", "listen", "accept", "accept4" };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(calls); i++)
		r = policy_rule(filter, REFUSE, calls[i]);
	return r;
}
