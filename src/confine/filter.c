#include "confine/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Newer than the headers of the oldest distribution we build on. */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

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

/* Newer than libseccomp 2.5, which does not know their names; the numbers are the same everywhere.
 */
static const int denied_numbers[] = {
	467, /* open_tree_attr */
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
	return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM),
	                              seccomp_syscall_resolve_name(name), 1, &condition);
}

static int refuse(scmp_filter_ctx filter, const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	/* Not of this architecture, or not of this library's time. */
	if (number < 0)
		return 0;
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
}

static int refuse_names(scmp_filter_ctx filter, const struct filter_needs *needs)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(denied); i++)
		r = refuse(filter, denied[i]);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(denied_numbers); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied_numbers[i], 0);
	if (r >= 0 && !needs->ptrace)
		r = refuse(filter, "ptrace");
	if (r >= 0 && !needs->chroot)
		r = refuse(filter, "chroot");
	return r;
}

/* A new thread or process is fine, a new namespace is not. */
static int refuse_namespaces(scmp_filter_ctx filter)
{
	static const unsigned flags[] = {
		CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,    CLONE_NEWUSER,
		CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP,
	};
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(flags); i++)
		r = refuse_if(filter, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
	return r;
}

/* The kernel looks at the lower half of these arguments only, so the filter must as well. */
static struct scmp_arg_cmp low_half(unsigned argument, unsigned value)
{
	return (struct scmp_arg_cmp){ argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value };
}

static int refuse_sockets(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(denied_families); i++)
		r = refuse_if(filter, "socket", low_half(0, (unsigned)denied_families[i]));
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(denied_options); i++) {
		const struct scmp_arg_cmp option[] = {
			low_half(1, SOL_SOCKET),
			low_half(2, (unsigned)denied_options[i]),
		};

		r = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setsockopt),
		                           ARRAY_SIZE(option), option);
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
		r = refuse_if(filter, "ioctl", low_half(1, requests[i]));
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(kinds); i++) {
		r = refuse_if(filter, "mknodat", SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i]));
		/* arm64 has no mknod(). */
		if (r >= 0 && seccomp_syscall_resolve_name("mknod") >= 0)
			r = refuse_if(filter, "mknod",
			              SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i]));
	}
	return r;
}

static int add_rules(scmp_filter_ctx filter, const struct filter_needs *needs)
{
	int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (r >= 0)
		r = refuse_names(filter, needs);
	if (r >= 0)
		r = refuse_namespaces(filter);
	if (r >= 0)
		r = refuse_sockets(filter);
	if (r >= 0)
		r = refuse_devices(filter);
	/* A binary tree instead of a list: a system call costs the same wherever it stands. */
	if (r >= 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return r;
}

int filter_write(int fd, const struct filter_needs *needs)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? add_rules(filter, needs) : -ENOMEM;

	if (r >= 0)
		r = seccomp_export_bpf(filter, fd);
	seccomp_release(filter);
	return r;
}

/* --- in the child --- */

static struct {
	struct sock_filter code[BPF_MAXINSNS];
	size_t length;
} program;

int filter_read(int fd)
{
	ssize_t n = pread(fd, program.code, sizeof(program.code), 0);

	if (n < 0)
		return -errno;
	if (n == 0 || (size_t)n % sizeof(program.code[0]) != 0)
		return -EBADMSG;
	program.length = (size_t)n / sizeof(program.code[0]);
	return 0;
}

int filter_load(void)
{
	struct sock_fprog load = { .len = (unsigned short)program.length, .filter = program.code };

	if (program.length == 0)
		return 0;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &load) < 0 ? -errno : 0;
}
