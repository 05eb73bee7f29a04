#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "../util/forked.h"
#include "../util/scratch.h"
#include "confine/caps.h"
#include "confine/filter.h"
#include "util/cleanup.h"

/* Bits that the kernel does not look at, to slip past a careless filter. */
static const unsigned long high = 1UL << 32;

static char directory[SCRATCH_PATH_SIZE];

/* --- calls: each returns what the system call does --- */

static long call_mount(void)
{
	return syscall(SYS_mount, NULL, "/nowhere", NULL, 0UL, NULL);
}

static long call_umount(void)
{
	return syscall(SYS_umount2, "/nowhere", 0);
}

static long call_unshare(void)
{
	return unshare(CLONE_NEWUTS);
}

static long call_setns(void)
{
	return syscall(SYS_setns, -1, 0);
}

static long clone_with(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

static long call_clone_newuser(void)
{
	return clone_with(CLONE_NEWUSER);
}

static long call_clone_newns(void)
{
	return clone_with(CLONE_NEWNS);
}

static long call_clone_newnet(void)
{
	return clone_with(CLONE_NEWNET | CLONE_NEWPID);
}

static long call_clone_high(void)
{
	return clone_with(CLONE_NEWUSER | high);
}

static long call_clone3(void)
{
	return syscall(SYS_clone3, NULL, 0);
}

static long call_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long call_chroot(void)
{
	return chroot("/");
}

static long call_bpf(void)
{
	return syscall(SYS_bpf, -1, NULL, 0);
}

static long call_pidfd_open(void)
{
	return syscall(SYS_pidfd_open, -1, 0);
}

static long call_pidfd_getfd(void)
{
	return syscall(SYS_pidfd_getfd, -1, -1, 0);
}

static long call_process_vm_readv(void)
{
	return syscall(SYS_process_vm_readv, -1, NULL, 0, NULL, 0, 0);
}

static long call_io_uring(void)
{
	return syscall(SYS_io_uring_setup, 0, NULL);
}

static long call_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, -1);
}

static long call_keyctl(void)
{
	return syscall(SYS_keyctl, -1, 0, 0, 0, 0);
}

static long call_init_module(void)
{
	return syscall(SYS_init_module, NULL, 0, NULL);
}

static long call_reboot(void)
{
	return syscall(SYS_reboot, 0, 0, 0, NULL);
}

static long call_sethostname(void)
{
	return syscall(SYS_sethostname, NULL, -1);
}

static long call_settime(void)
{
	return syscall(SYS_clock_settime, -1, NULL);
}

static long call_personality(void)
{
	return syscall(SYS_personality, 0xffffffff);
}

static long call_open_by_handle(void)
{
	return syscall(SYS_open_by_handle_at, -1, NULL, 0);
}

static long call_open_tree_attr(void)
{
	return syscall(467, -1, NULL, -1, NULL, 0);
}

static long socket_of(unsigned long family)
{
	return syscall(SYS_socket, family, SOCK_RAW, 0);
}

static long call_packet(void)
{
	return socket_of(AF_PACKET);
}

static long call_packet_high(void)
{
	return socket_of(AF_PACKET | high);
}

static long call_alg(void)
{
	return syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0);
}

static long call_vsock(void)
{
	return syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0);
}

static long option(unsigned long level, unsigned long name)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	return syscall(SYS_setsockopt, fd, level, name, &on, sizeof(on));
}

static long call_reuseport(void)
{
	return option(SOL_SOCKET, SO_REUSEPORT);
}

static long call_reuseport_high(void)
{
	return option(SOL_SOCKET | high, SO_REUSEPORT | high);
}

static long call_attach_cbpf(void)
{
	return option(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF);
}

static long call_attach_ebpf(void)
{
	return option(SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF);
}

static long call_detach(void)
{
	return option(SOL_SOCKET, SO_DETACH_REUSEPORT_BPF);
}

static long request(unsigned long number)
{
	char byte = 'x';

	return syscall(SYS_ioctl, open("/dev/null", O_RDWR), number, &byte);
}

static long call_tiocsti(void)
{
	return request(TIOCSTI);
}

static long call_tiocsti_high(void)
{
	return request(TIOCSTI | high);
}

static long call_tioclinux(void)
{
	return request(0x541c);
}

static long call_kill_init(void)
{
	return kill(1, 0);
}

static long call_kill_init_high(void)
{
	return syscall(SYS_kill, 1 | high, 0);
}

static long call_tgkill_init(void)
{
	return syscall(SYS_tgkill, 1, 1, 0);
}

static long call_limit_init(void)
{
	return syscall(SYS_prlimit64, 1, RLIMIT_CPU, NULL, NULL);
}

static long call_slow_init(void)
{
	return setpriority(PRIO_PROCESS, 1, 100);
}

static long call_pidfd_signal(void)
{
	return syscall(SYS_pidfd_send_signal, -1, 0, NULL, 0);
}

static long call_mknod_char(void)
{
	return mknod(at("%s/char", directory), S_IFCHR | 0600, makedev(1, 3));
}

static long call_mknodat_block(void)
{
	return syscall(SYS_mknodat, AT_FDCWD, at("%s/block", directory), S_IFBLK | 0600,
	               makedev(7, 0));
}

#ifdef SYS_mknod
static long call_mknod_itself(void)
{
	return syscall(SYS_mknod, at("%s/block", directory), S_IFBLK | 0600, makedev(7, 0));
}
#endif

/* clang-format off */
static const struct denied {
	const char *says;
	long (*call)(void);
	int error;
	struct filter_needs needs;
} denied[] = {
	{ "mount",                        call_mount,            EPERM,  { false, false } },
	{ "umount",                       call_umount,           EPERM,  { false, false } },
	{ "unshare",                      call_unshare,          EPERM,  { false, false } },
	{ "setns",                        call_setns,            EPERM,  { false, false } },
	{ "clone of a user namespace",    call_clone_newuser,    EPERM,  { false, false } },
	{ "clone of a mount namespace",   call_clone_newns,      EPERM,  { false, false } },
	{ "clone of two namespaces",      call_clone_newnet,     EPERM,  { false, false } },
	{ "clone with more bits",         call_clone_high,       EPERM,  { false, false } },
	{ "clone3 is as if it were not there", call_clone3,      ENOSYS, { false, false } },
	{ "ptrace",                       call_ptrace,           EPERM,  { false, true  } },
	{ "chroot",                       call_chroot,           EPERM,  { true,  false } },
	{ "bpf",                          call_bpf,              EPERM,  { false, false } },
	{ "pidfd_open",                   call_pidfd_open,       EPERM,  { false, false } },
	{ "pidfd_getfd",                  call_pidfd_getfd,      EPERM,  { false, false } },
	{ "reading other processes",      call_process_vm_readv, EPERM,  { true,  false } },
	{ "io_uring",                     call_io_uring,         EPERM,  { false, false } },
	{ "userfaultfd",                  call_userfaultfd,      EPERM,  { false, false } },
	{ "keyctl",                       call_keyctl,           EPERM,  { false, false } },
	{ "kernel modules",               call_init_module,      EPERM,  { false, false } },
	{ "reboot",                       call_reboot,           EPERM,  { false, false } },
	{ "the host's name",              call_sethostname,      EPERM,  { false, false } },
	{ "the clock",                    call_settime,          EPERM,  { false, false } },
	{ "personality",                  call_personality,      EPERM,  { false, false } },
	{ "open_by_handle_at",            call_open_by_handle,   EPERM,  { false, false } },
	{ "open_tree_attr",               call_open_tree_attr,   ENOSYS, { false, false } },
	{ "a packet socket",              call_packet,           EPERM,  { false, false } },
	{ "... with more bits",           call_packet_high,      EPERM,  { false, false } },
	{ "a crypto socket",              call_alg,              EPERM,  { false, false } },
	{ "a vsock",                      call_vsock,            EPERM,  { false, false } },
	{ "joining a port's group",       call_reuseport,        EPERM,  { false, false } },
	{ "... with more bits",           call_reuseport_high,   EPERM,  { false, false } },
	{ "steering",                     call_attach_cbpf,      EPERM,  { false, false } },
	{ "steering by eBPF",             call_attach_ebpf,      EPERM,  { false, false } },
	{ "ending the steering",          call_detach,           EPERM,  { false, false } },
	{ "typing into a terminal",       call_tiocsti,          EPERM,  { false, false } },
	{ "... with more bits",           call_tiocsti_high,     EPERM,  { false, false } },
	{ "TIOCLINUX",                    call_tioclinux,        EPERM,  { false, false } },
	{ "a signal to init",             call_kill_init,        EPERM,  { false, false } },
	{ "... with more bits",           call_kill_init_high,   EPERM,  { false, false } },
	{ "a signal to its thread",       call_tgkill_init,      EPERM,  { false, false } },
	{ "a limit for init",             call_limit_init,       EPERM,  { false, false } },
	{ "another priority for init",    call_slow_init,        EPERM,  { false, false } },
	{ "a signal by pidfd",            call_pidfd_signal,     EPERM,  { false, false } },
	{ "a character device",           call_mknod_char,       EPERM,  { true,  true  } },
	{ "a block device",               call_mknodat_block,    EPERM,  { true,  true  } },
#ifdef SYS_mknod
	{ "a block device by mknod",      call_mknod_itself,     EPERM,  { true,  true  } },
#endif
};
/* clang-format on */

/* Besides the deny list: what an FPM tree may live under. */
static const struct {
	const char *says;
	uint32_t filters;
} besides[] = {
	{ "alone", 0 },
	{ "with the standard list", FILTER_BIT(FILTER_ALLOW) },
	{ "with the strict list", FILTER_BIT(FILTER_ALLOW_STRICT) },
};

static uint32_t with;

static void load(uint32_t filters)
{
	CHECK(caps_no_new_privileges() == 0);
	CHECK(filter_load(filters) == 0);
}

static void confine(const struct filter_needs *needs)
{
	load(with | filter_deny(needs));
}

static void call_denied(void *context)
{
	const struct denied *row = context;

	confine(&row->needs);
	errno = 0;
	CHECK(row->call() < 0);
	CHECK(errno == row->error);
}

static void test_what_is_denied(void **state)
{
	char says[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(denied) * ARRAY_SIZE(besides); i++) {
		const struct denied *row = &denied[i / ARRAY_SIZE(besides)];

		with = besides[i % ARRAY_SIZE(besides)].filters;
		snprintf(says, sizeof(says), "%s, %s", row->says,
		         besides[i % ARRAY_SIZE(besides)].says);
		in_child_row(says, call_denied, (void *)row);
	}
}

/* For root most of it fails otherwise, or works: so it was the filter. */
static void call_unfiltered(void *context)
{
	const struct denied *row = context;

	errno = 0;
	(void)row->call();
	CHECK(errno != row->error);
}

static void test_it_is_the_filter_that_denies(void **state)
{
	(void)state;
	only_as_root();
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++) {
		/* Not every kernel has modules, and nobody tries the other for fun. */
		if (denied[i].call == call_reboot || denied[i].call == call_init_module)
			continue;
		in_child_row(denied[i].says, call_unfiltered, (void *)&denied[i]);
	}
}

/* --- what must work --- */

static void fork_works(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
}

static void *thread(void *context)
{
	return context;
}

static void threads_work(void)
{
	pthread_t id;
	void *result;

	CHECK(pthread_create(&id, NULL, thread, directory) == 0);
	CHECK(pthread_join(id, &result) == 0 && result == directory);
}

static void sockets_work(void)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
	int pair[2], on = 1;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		int fd = socket(families[i], SOCK_STREAM, 0);

		CHECK(fd >= 0);
		CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
		CHECK(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
		CHECK(listen(fd, 5) == 0 || families[i] == AF_UNIX);
		close(fd);
	}
	CHECK(socket(AF_INET, SOCK_DGRAM, 0) >= 0);
	CHECK(socket(AF_NETLINK, SOCK_RAW, 0) >= 0); /* getaddrinfo(3) */
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
}

/* The same number means another option at another level. */
static void other_options_work(void)
{
	errno = 0;
	(void)option(6 /* TCP */, SO_REUSEPORT);
	CHECK(errno != EPERM);
	errno = 0;
	(void)option(0 /* IP */, SO_ATTACH_REUSEPORT_CBPF);
	CHECK(errno != EPERM);
}

static void exec_works(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "exit $(echo 9 | cat)", NULL);
		_exit(127);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 9);
}

static void files_work(void)
{
	CHECK(mkfifo(at("%s/fifo", directory), 0600) == 0);
	CHECK(unlink(at("%s/fifo", directory)) == 0);
	CHECK(mknod(at("%s/file", directory), S_IFREG | 0600, 0) == 0);
	CHECK(unlink(at("%s/file", directory)) == 0);
	CHECK(mkdir(at("%s/dir", directory), 0700) == 0);
	CHECK(rmdir(at("%s/dir", directory)) == 0);
}

static void waiting_works(void)
{
	CHECK(epoll_create1(0) >= 0);
	CHECK(eventfd(0, 0) >= 0);
	CHECK(kill(getpid(), 0) == 0);
}

static void terminals_work(void)
{
	struct winsize size;

	errno = 0;
	(void)ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	CHECK(errno != EPERM);
}

static void identities_work(void)
{
	CHECK(setresuid(-1, -1, -1) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
}

static void ptrace_works(void)
{
	CHECK(call_ptrace() == 0);
}

static void chroot_works(void)
{
	CHECK(geteuid() != 0 || call_chroot() == 0);
}

static const struct allowed {
	const char *says;
	void (*call)(void);
	struct filter_needs needs;
} allowed[] = {
	{ "fork", fork_works, { false, false } },
	{ "threads, although clone3 is gone", threads_work, { false, false } },
	{ "sockets", sockets_work, { false, false } },
	{ "options with the same number", other_options_work, { false, false } },
	{ "execve", exec_works, { false, false } },
	{ "files and fifos", files_work, { false, false } },
	{ "epoll and its like", waiting_works, { false, false } },
	{ "terminals", terminals_work, { false, false } },
	{ "user ids", identities_work, { false, false } },
	{ "ptrace for a slowlog", ptrace_works, { true, false } },
	{ "chroot for a pool with chroot", chroot_works, { false, true } },
};

static void call_allowed(void *context)
{
	const struct allowed *row = context;

	confine(&row->needs);
	row->call();
}

static void test_what_works(void **state)
{
	char says[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(allowed) * ARRAY_SIZE(besides); i++) {
		const struct allowed *row = &allowed[i / ARRAY_SIZE(besides)];

		with = besides[i % ARRAY_SIZE(besides)].filters;
		snprintf(says, sizeof(says), "%s, %s", row->says,
		         besides[i % ARRAY_SIZE(besides)].says);
		in_child_row(says, call_allowed, (void *)row);
	}
}

/* --- the lists of what is allowed --- */

static long call_shmget(void)
{
	return syscall(SYS_shmget, -1, 0, 0);
}

static long call_memfd(void)
{
	return memfd_create("x", 0);
}

static long call_affinity(void)
{
	return syscall(SYS_sched_setaffinity, 0, 0, NULL);
}

static long call_mq(void)
{
	return syscall(SYS_mq_unlink, "nowhere");
}

static long call_aio(void)
{
	return syscall(SYS_io_setup, 0, NULL);
}

static long call_unknown(void)
{
	return syscall(900);
}

static long call_ax25(void)
{
	return socket_of(3 /* AF_AX25 */);
}

static long call_unix(void)
{
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long call_inet(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long call_netlink(void)
{
	return socket_of(AF_NETLINK);
}

static long call_open(void)
{
	return open("/dev/null", O_RDONLY);
}

static long call_symlink(void)
{
	return symlink("x", at("%s/directory/that/is/not/there", directory));
}

static long call_exec(void)
{
	return execl("/nowhere/program", "program", NULL);
}

static long call_fork(void)
{
	return clone_with(0);
}

static long call_kill(void)
{
	return kill(getpid(), 0);
}

static long call_term(void)
{
	(void)signal(SIGTERM, SIG_IGN);
	return kill(getpid(), SIGTERM);
}

static long call_prctl(void)
{
	return prctl(PR_GET_SECCOMP);
}

static long call_write(void)
{
	return write(FD_NONE, "x", 1);
}

/* A sanitizer's runtime makes some calls too, which are allowed in its builds (POLICY_EXTRA). */
static bool is_an_instruments(long (*call)(void))
{
#ifdef __SANITIZE_ADDRESS__
	return call == call_open || call == call_kill || call == call_term;
#else
	(void)call;
	return false;
#endif
}

/* "-": as if the kernel did not have it; "+": whatever it says. */
static const struct listed {
	const char *says;
	long (*call)(void);
	/* standard, strict; helpers: trial, links, private, network, copy, yield */
	char there[9];
} listed[] = {
	{ "a call newer than we are", call_unknown, "--------" },
	{ "a rare socket", call_ax25, "++------" }, /* but with EAFNOSUPPORT */
	{ "System V memory", call_shmget, "+-------" },
	{ "a memfd", call_memfd, "+----+--" },
	{ "a message queue", call_mq, "+-------" },
	{ "asynchronous I/O", call_aio, "+-------" },
	{ "a unix socket", call_unix, "++--++--" },
	{ "an internet socket", call_inet, "++---+--" },
	{ "a netlink socket", call_netlink, "++---+--" },
	{ "to open a file", call_open, "++++-+-+" },
	{ "to make a symlink", call_symlink, "++++----" },
	{ "to run a program", call_exec, "++------" },
	{ "to make a process", call_fork, "+++-----" },
	{ "to look whether a process lives", call_kill, "++---+--" },
	{ "to signal", call_term, "++------" },
	{ "to mount", call_mount, "--+-----" },
	{ "to unshare", call_unshare, "--+-----" },
	{ "to load a filter", call_prctl, "+++-----" },
	{ "to choose processors", call_affinity, "++-----+" },
	{ "to write", call_write, "++++++++" },
};

static enum filter list;

static void call_listed(void *context)
{
	const struct listed *row = context;

	load(FILTER_BIT(list));
	errno = 0;
	(void)row->call();
	CHECK((errno != ENOSYS) == (row->there[list] == '+'));
}

static void test_lists_of_what_is_there(void **state)
{
	static const char *const names[] = { "standard", "strict",  "trial", "links",
		                             "private",  "network", "copy",  "yield" };
	char says[100];

	(void)state;
	_Static_assert(FILTER_ALLOW == 0 && FILTER_HELPER_YIELD == 7, "the order of the columns");
	for (size_t i = 0; i < ARRAY_SIZE(listed); i++) {
		if (is_an_instruments(listed[i].call))
			continue;
		for (list = FILTER_ALLOW; list <= FILTER_HELPER_YIELD; list++) {
			snprintf(says, sizeof(says), "%s: %s", names[list], listed[i].says);
			in_child_row(says, call_listed, (void *)&listed[i]);
		}
	}
}

static void ask_for_rare_socket(void *context)
{
	list = *(const enum filter *)context;
	load(FILTER_BIT(list));
	CHECK(call_ax25() < 0 && errno == EAFNOSUPPORT);
	CHECK(call_inet() >= 0);
}

static void test_a_rare_family_is_as_if_the_kernel_had_it_not(void **state)
{
	static const enum filter lists[] = { FILTER_ALLOW, FILTER_ALLOW_STRICT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		in_child(ask_for_rare_socket, (void *)&lists[i]);
}

static void ask_for_network(void *context)
{
	(void)context;
	load(FILTER_BIT(FILTER_DENY_NETWORK));
	CHECK(call_inet() < 0 && errno == EPERM);
	CHECK(call_netlink() < 0 && errno == EPERM);
	CHECK(call_unix() >= 0);
}

static void test_without_network_there_are_unix_sockets(void **state)
{
	(void)state;
	in_child(ask_for_network, NULL);
}

static void ask_to_leave(void *context)
{
	(void)context;
	load(FILTER_BIT(FILTER_DENY_LEAVING));
	CHECK(setsid() < 0 && errno == EPERM);
	CHECK(setpgid(0, 0) < 0 && errno == EPERM);
	CHECK(listen(FD_NONE, 1) < 0 && errno == EPERM);
	CHECK(accept4(FD_NONE, NULL, NULL, 0) < 0 && errno == EPERM);
	CHECK(connect(FD_NONE, NULL, 0) < 0 && errno == EBADF);
	CHECK(getpgrp() > 0);
}

static void test_a_group_can_not_be_left(void **state)
{
	(void)state;
	in_child(ask_to_leave, NULL);
}

/* --- other doors into the kernel --- */

#ifdef __x86_64__
static void call_as_x32(void *context)
{
	(void)context;
	confine(&(struct filter_needs){ false, false });
	(void)syscall(0x40000000 | SYS_getpid);
}

static void call_as_i386(void *context)
{
	long result;

	(void)context;
	confine(&(struct filter_needs){ false, false });
	/* 20: getpid */
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
}

static void test_calls_of_another_architecture_kill(void **state)
{
	(void)state;
	int status = forked_status(call_as_x32, NULL);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	/* A kernel without them has SIGSEGV for that. */
	status = forked_status(call_as_i386, NULL);
	assert_true(WIFSIGNALED(status));
}
#endif

static void inherit(void *context)
{
	int status;

	(void)context;
	confine(&(struct filter_needs){ false, false });
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "unshare -U true 2>/dev/null || exit 5", NULL);
		_exit(127);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
}

static void test_a_program_cannot_shed_it(void **state)
{
	(void)state;
	in_child(inherit, NULL);
}

/* --- loading --- */

static void load_nothing(void *context)
{
	(void)context;
	CHECK(filter_load(0) == 0);
	CHECK(!filter_is_present());
}

static void test_without_a_program_there_is_no_filter(void **state)
{
	(void)state;
	if (filter_is_present())
		skip();
	in_child(load_nothing, NULL);
}

static void load_some(void *context)
{
	(void)context;
	load(FILTER_BIT(FILTER_DENY));
	CHECK(filter_is_present());
}

static void test_with_one_there_is(void **state)
{
	(void)state;
	in_child(load_some, NULL);
}

static void load_without_right(void *context)
{
	(void)context;
	CHECK(caps_keep(0) == 0);
	CHECK(filter_load(FILTER_BIT(FILTER_DENY)) == -EACCES);
}

static void test_it_needs_no_new_privs_or_power(void **state)
{
	(void)state;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		skip();
	in_child(load_without_right, NULL);
}

static int begin(void **state)
{
	int r = scratch_begin(state);

	if (r == 0)
		scratch_dir(directory);
	return r;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_a_program_there_is_no_filter),
		TEST(test_what_is_denied),
		TEST(test_it_is_the_filter_that_denies),
		TEST(test_what_works),
#ifdef __x86_64__
		TEST(test_calls_of_another_architecture_kill),
#endif
		TEST(test_a_program_cannot_shed_it),
		TEST(test_lists_of_what_is_there),
		TEST(test_a_rare_family_is_as_if_the_kernel_had_it_not),
		TEST(test_without_network_there_are_unix_sockets),
		TEST(test_a_group_can_not_be_left),
		TEST(test_with_one_there_is),
		TEST(test_it_needs_no_new_privs_or_power),
	};

	return cmocka_run_group_tests_name("confine/filter", tests, begin, scratch_end);
}
