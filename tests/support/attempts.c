/*
 * attempts.c - what hostile code in a PHP worker may try, one attempt a row.
 *
 *   attempts            tries all but those that signal PID 1
 *   attempts NAME...    tries those
 *
 * Each attempt runs in a process of its own and prints one line: name, "allowed" or "denied", how
 * that was seen, and what was tried, with tabs between.  An attempt that the kernel looked at, and
 * found wrong only in its arguments, counts as allowed.  "sent" is a signal that PID 1 has got;
 * whoever reads this must see what came of it.
 *
 * Nothing here harms a machine that allows it: arguments are chosen so that success changes
 * nothing.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/fanotify.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define FOLDER            "/tmp/attempts"
#define RELEASES          "/srv/app"
#define RUN_DIR           "/run/twinit"

/* Newer than the headers of the oldest distribution that this is built on. */
enum {
	NEWTIME = 0x80,
	OPEN_TREE_ATTR = 467,
	ADDRESS_FAMILY_XDP = 44,
	LINUX_REBOOT_CAD_OFF = 0,
	X32 = 0x40000000,
	IOPRIO_PROCESS = 1,
};

enum {
	PUBLIC_PORT = 9000,
	SECONDS_AN_ATTEMPT = 5,
	SECONDS_A_SENDER_STAYS = 3,
	STEALS = 64,
	SENT = 2,
	PATH_SIZE = 300
};

struct attempt {
	const char *name;
	const char *what;
	int (*run)(const struct attempt *attempt); /* negative: denied, errno says how */
	long number;
	const char *path;
};

/* The processes that are there to be attacked; 0: there is none. */
enum target { PID_1, OWN_MASTER, OTHER_MASTER, OTHER_WORKER, SIBLING, TARGET_COUNT };

static pid_t targets[TARGET_COUNT];

static int failed(int error)
{
	errno = error;
	return -1;
}

/* What only the arguments were wrong with went through all gates. */
static int reached(long result)
{
	return result < 0 && (errno == EPERM || errno == EACCES || errno == ENOSYS) ? -1 : 0;
}

static int target(const struct attempt *attempt)
{
	pid_t pid = targets[attempt->number];

	return pid > 0 ? pid : failed(ESRCH);
}

static const char *in_proc(pid_t pid, const char *name)
{
	static char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return path;
}

/* --- who is there --- */

static void read_title(pid_t pid, char title[64])
{
	int fd = open(in_proc(pid, "cmdline"), O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, title, 63);

	title[n < 0 ? 0 : n] = '\0';
	(void)close(fd);
}

static bool is_titled(pid_t pid, const char *begin)
{
	char title[64];

	read_title(pid, title);
	return strncmp(title, begin, strlen(begin)) == 0;
}

static pid_t parent_of(pid_t pid)
{
	char line[512];
	int fd = open(in_proc(pid, "stat"), O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	(void)close(fd);
	line[n < 0 ? 0 : n] = '\0';
	const char *after_name = strrchr(line, ')');
	return after_name ? (pid_t)strtol(after_name + strlen(") S "), NULL, 10) : 0;
}

static void note_process(pid_t pid, pid_t own_worker)
{
	/* A worker has its master's title at first. */
	if (is_titled(pid, "php-fpm: master") && pid != targets[OWN_MASTER] && parent_of(pid) == 1)
		targets[OTHER_MASTER] = pid;
	if (!is_titled(pid, "php-fpm: pool www") || pid == own_worker)
		return;
	targets[parent_of(pid) == targets[OWN_MASTER] ? SIBLING : OTHER_WORKER] = pid;
}

static void look_around(void)
{
	pid_t own_worker = getppid();
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (own_worker > 1 && !is_titled(own_worker, "php-fpm: pool"))
		own_worker = parent_of(own_worker);
	targets[PID_1] = 1;
	targets[OWN_MASTER] = parent_of(own_worker);
	while (proc && (entry = readdir(proc)))
		if (strtol(entry->d_name, NULL, 10) > 1)
			note_process((pid_t)strtol(entry->d_name, NULL, 10), own_worker);
}

/* --- mounts and namespaces --- */

static int try_mount(const struct attempt *attempt)
{
	const char *from = attempt->number & MS_BIND ? "/etc" : "none";

	(void)mkdir(FOLDER "/mount", 0700);
	return mount(from, FOLDER "/mount", attempt->path, (unsigned long)attempt->number, NULL);
}

static int try_remount(const struct attempt *attempt)
{
	return mount(NULL, attempt->path, NULL, (unsigned long)attempt->number, NULL);
}

static int try_umount(const struct attempt *attempt)
{
	return umount2(attempt->path, MNT_DETACH);
}

static int try_pivot_root(const struct attempt *attempt)
{
	(void)attempt;
	return reached(syscall(SYS_pivot_root, "/", "/"));
}

static int try_chroot(const struct attempt *attempt)
{
	return chroot(attempt->path);
}

static int try_unshare(const struct attempt *attempt)
{
	return unshare((int)attempt->number);
}

static int gone_well(long pid)
{
	if (pid == 0)
		_exit(EXIT_SUCCESS);
	if (pid > 0)
		(void)waitpid((pid_t)pid, NULL, __WALL);
	return pid < 0 ? -1 : 0;
}

static int try_clone(const struct attempt *attempt)
{
	return gone_well(syscall(SYS_clone, attempt->number | SIGCHLD, 0, 0, 0, 0));
}

static int try_clone3(const struct attempt *attempt)
{
	uint64_t arguments[8] = { [0] = (uint64_t)attempt->number, [4] = SIGCHLD };

	return gone_well(syscall(SYS_clone3, arguments, sizeof(arguments)));
}

static int try_namespace_in_user_namespace(const struct attempt *attempt)
{
	if (unshare(CLONE_NEWUSER) < 0 || unshare((int)attempt->number) < 0)
		return -1;
	return (attempt->number & CLONE_NEWNS) ? mount("none", "/tmp", "tmpfs", 0, NULL) : 0;
}

static int try_setns(const struct attempt *attempt)
{
	int pid = target(attempt);
	int fd = pid < 0 ? -1 : open(in_proc(pid, attempt->path), O_RDONLY);

	return fd < 0 ? -1 : setns(fd, 0);
}

static int try_setns_itself(const struct attempt *attempt)
{
	return reached(setns(open(attempt->path, O_RDONLY), 0));
}

/* A call whose arguments are numbers; most that are wrong get as far as being found so. */
static int try_call(const struct attempt *attempt)
{
	return reached(syscall(attempt->number, -1, 0, 0, 0, 0, 0));
}

static int try_open_tree(const struct attempt *attempt)
{
	uint64_t attributes[4] = { 0 };

	return (int)syscall(attempt->number, AT_FDCWD, "/etc", 1 /* OPEN_TREE_CLONE */, attributes,
	                    sizeof(attributes));
}

static int try_fsopen(const struct attempt *attempt)
{
	return (int)syscall(SYS_fsopen, attempt->path, 0);
}

static int try_fspick(const struct attempt *attempt)
{
	return (int)syscall(SYS_fspick, AT_FDCWD, attempt->path, 0);
}

static int try_mount_setattr(const struct attempt *attempt)
{
	uint64_t attributes[4] = { 0, 1 /* not MOUNT_ATTR_RDONLY any more */ };

	return (int)syscall(SYS_mount_setattr, AT_FDCWD, attempt->path, 0, attributes,
	                    sizeof(attributes));
}

/* --- other processes --- */

static int try_ptrace(const struct attempt *attempt, enum __ptrace_request request)
{
	int pid = target(attempt);

	if (pid < 0 || ptrace(request, pid, NULL, NULL) < 0)
		return -1;
	if (request == PTRACE_SEIZE)
		(void)ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	(void)waitpid(pid, NULL, __WALL);
	(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return 0;
}

static int try_attach(const struct attempt *attempt)
{
	return try_ptrace(attempt, PTRACE_ATTACH);
}

static int try_seize(const struct attempt *attempt)
{
	return try_ptrace(attempt, PTRACE_SEIZE);
}

static int try_read_memory(const struct attempt *attempt)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)1, 1 };
	int pid = target(attempt);

	return pid < 0 ? -1
	               : reached(syscall(attempt->path ? SYS_process_vm_writev
	                                               : SYS_process_vm_readv,
	                                 pid, &here, 1, &there, 1, 0));
}

static int try_kcmp(const struct attempt *attempt)
{
	int pid = target(attempt);

	return pid < 0 ? -1 : reached(syscall(SYS_kcmp, getpid(), pid, 0, 0, 0));
}

static int try_proc_open(const struct attempt *attempt, int flags)
{
	char byte;
	int pid = target(attempt);
	int fd = pid < 0 ? -1 : open(in_proc(pid, attempt->path), flags);

	if (fd >= 0 && flags == O_RDONLY && read(fd, &byte, 1) < 0)
		return -1;
	return fd;
}

static int try_proc_read(const struct attempt *attempt)
{
	return try_proc_open(attempt, O_RDONLY);
}

static int try_proc_write(const struct attempt *attempt)
{
	return try_proc_open(attempt, O_RDWR);
}

static int try_proc_link(const struct attempt *attempt)
{
	char to[PATH_SIZE];
	int pid = target(attempt);

	return pid < 0 ? -1 : (int)readlink(in_proc(pid, attempt->path), to, sizeof(to));
}

static int try_proc_list(const struct attempt *attempt)
{
	int pid = target(attempt);

	return pid < 0 || !opendir(in_proc(pid, attempt->path)) ? -1 : 0;
}

/* Is one of its descriptors a memory file with something in it? */
static int try_memory_files(const struct attempt *attempt)
{
	int pid = target(attempt);
	char name[16], byte;

	if (pid < 0 || access(in_proc(pid, "fd/0"), F_OK) < 0)
		return -1;
	for (int number = 0; number < 128; number++) {
		char to[PATH_SIZE] = "";

		snprintf(name, sizeof(name), "fd/%d", number);
		if (readlink(in_proc(pid, name), to, sizeof(to) - 1) > 0 &&
		    strncmp(to, "/memfd:", 7) == 0 &&
		    pread(open(in_proc(pid, name), O_RDONLY), &byte, 1, 0) == 1)
			return 0;
	}
	return failed(ENOENT);
}

static bool holds(int memory, unsigned long from, unsigned long to, const char *mark)
{
	char *page = malloc(to - from);
	ssize_t n = page ? pread(memory, page, to - from, (off_t)from) : -1;
	bool found = n > 0 && memmem(page, (size_t)n, mark, strlen(mark));

	free(page);
	return found;
}

/* The container's environment, which FPM clears for its workers, in the memory of somebody who has
 * it. */
static int try_find_environment(const struct attempt *attempt)
{
	int pid = target(attempt);
	int memory = pid < 0 ? -1 : open(in_proc(pid, "mem"), O_RDONLY);
	FILE *maps = memory < 0 ? NULL : fopen(in_proc(pid, "maps"), "r");
	char line[512];
	unsigned long from, to;

	while (maps && fgets(line, sizeof(line), maps))
		if ((strstr(line, "[heap]") || strstr(line, "[stack]")) &&
		    sscanf(line, "%lx-%lx", &from, &to) == 2 &&
		    holds(memory, from, to, attempt->path))
			return 0;
	return maps ? failed(ENOENT) : -1;
}

static int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int try_pidfd(const struct attempt *attempt)
{
	int pid = target(attempt);

	return pid < 0 ? -1 : open_pidfd(pid);
}

static int try_take_descriptor(const struct attempt *attempt)
{
	int pid = target(attempt);
	int pidfd = pid < 0 ? -1 : open_pidfd(pid);

	return pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
}

/* --- PID 1, of whoever has its user --- */

static int try_limit(const struct attempt *attempt)
{
	struct rlimit limit = { 0, 0 };

	/* A limit that nobody meets. */
	return prlimit(target(attempt), RLIMIT_MSGQUEUE, &limit, NULL);
}

static int try_renice(const struct attempt *attempt)
{
	return setpriority((__priority_which_t)attempt->number,
	                   attempt->number == PRIO_USER ? getuid() : 1,
	                   getpriority(PRIO_PROCESS, 1));
}

static int try_affinity(const struct attempt *attempt)
{
	cpu_set_t set;

	if (sched_getaffinity(target(attempt), sizeof(set), &set) < 0)
		return -1;
	return sched_setaffinity(target(attempt), sizeof(set), &set);
}

static int try_scheduler(const struct attempt *attempt)
{
	struct sched_param parameters = { 0 };

	return sched_setscheduler(target(attempt), SCHED_OTHER, &parameters);
}

static int try_io_priority(const struct attempt *attempt)
{
	return (int)syscall(SYS_ioprio_set, IOPRIO_PROCESS, target(attempt), 2 << 13 | 4);
}

static int sent(long result)
{
	return result < 0 ? -1 : SENT;
}

static int try_kill(const struct attempt *attempt)
{
	return sent(kill(1, (int)attempt->number));
}

static int try_kill_all(const struct attempt *attempt)
{
	return kill(-1, (int)attempt->number);
}

static int try_thread_kill(const struct attempt *attempt)
{
	return sent(syscall(SYS_tgkill, 1, 1, attempt->number));
}

/* A kill() whose sender has gone when PID 1 looks. */
static int try_kill_and_go(const struct attempt *attempt)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(kill(1, (int)attempt->number) < 0 ? errno : 0);
	int status;
	(void)waitpid(pid, &status, 0);
	return WEXITSTATUS(status) ? failed(WEXITSTATUS(status)) : SENT;
}

static int queue_as(pid_t sender, const struct attempt *attempt)
{
	siginfo_t info = { .si_signo = (int)attempt->number, .si_code = SI_QUEUE };

	info.si_pid = sender;
	info.si_uid = 0;
	return sent(syscall(SYS_rt_sigqueueinfo, 1, attempt->number, &info));
}

static int try_queue_as_nobody(const struct attempt *attempt)
{
	return queue_as(0, attempt);
}

static int try_queue_as_pid_1(const struct attempt *attempt)
{
	return queue_as(1, attempt);
}

static int try_queue_as_timer(const struct attempt *attempt)
{
	siginfo_t info = { .si_signo = (int)attempt->number, .si_code = SI_TIMER };

	return sent(syscall(SYS_rt_tgsigqueueinfo, 1, 1, attempt->number, &info));
}

/* The kernel sends the signal for us when there is something to read. */
/* Whom the kernel lets signal whom (sigio_perm()); kill(2) would ask the filter. */
static bool has_the_user_of_pid_1(void)
{
	FILE *status = fopen("/proc/1/status", "r");
	char line[256];
	unsigned uid = 0;

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "Uid: %u", &uid) == 1)
			return uid == geteuid();
	errno = EPERM;
	return false;
}

static int try_signal_of_descriptor(const struct attempt *attempt)
{
	int pair[2];

	if (!has_the_user_of_pid_1())
		return failed(EPERM);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || fcntl(pair[0], F_SETOWN, 1) < 0 ||
	    fcntl(pair[0], F_SETSIG, attempt->number) < 0 || fcntl(pair[0], F_SETFL, O_ASYNC) < 0)
		return -1;
	return sent(write(pair[1], "", 1));
}

static int try_signal_by_folder(const struct attempt *attempt)
{
	int folder = open("/proc/1", O_RDONLY | O_DIRECTORY);

	return sent(syscall(SYS_pidfd_send_signal, folder, attempt->number, NULL, 0));
}

/* --- twinit's own --- */

static int run_program(const char *const argv[])
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : failed(EPERM);
}

static int try_command(const struct attempt *attempt)
{
	return run_program((const char *const[]){ "/usr/local/sbin/twinit", attempt->path, NULL });
}

static int connect_to(const char *path, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	strncpy(un.sun_path, path, sizeof(un.sun_path) - 1);
	return fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0 ? -1 : fd;
}

static int try_garbage(const struct attempt *attempt)
{
	char answer[4096];
	int fd = connect_to(attempt->path, SOCK_SEQPACKET);

	if (fd < 0 || send(fd, answer, sizeof(answer), MSG_NOSIGNAL) < 0)
		return -1;
	return recv(fd, answer, sizeof(answer), 0) > 0 ? 0 : failed(ECONNRESET);
}

static int try_any_socket(const struct attempt *attempt)
{
	glob_t found;

	if (glob(attempt->path, 0, NULL, &found) != 0)
		return failed(access(RUN_DIR "/private", R_OK) < 0 ? errno : ENOENT);
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (connect_to(found.gl_pathv[i], SOCK_STREAM) >= 0)
			return 0;
	return -1;
}

static int try_list(const struct attempt *attempt)
{
	return opendir(attempt->path) ? 0 : -1;
}

static int try_create_in(const struct attempt *attempt)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/attempt", attempt->path);
	return symlink("/etc/passwd", path) < 0 ? -1 : unlink(path);
}

/* Only the right to; nobody's file is changed. */
static int try_write(const struct attempt *attempt)
{
	return open(attempt->path, O_WRONLY | O_CLOEXEC);
}

static int try_create(const struct attempt *attempt)
{
	int fd = open(attempt->path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	if (fd < 0 && errno != EEXIST)
		return -1;
	return fd < 0 ? try_write(attempt) : unlink(attempt->path);
}

static int try_say(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	return fd < 0 ? -1 : (int)write(fd, text, strlen(text));
}

/* Over itself, by a new one that leads to the same place. */
static int try_move_link(const struct attempt *attempt)
{
	char to[PATH_SIZE] = "", new[PATH_SIZE];

	snprintf(new, sizeof(new), "%s.attempt", attempt->path);
	if (readlink(attempt->path, to, sizeof(to) - 1) < 0 || symlink(to, new) < 0)
		return -1;
	return rename(new, attempt->path);
}

/* --- sockets --- */

#define SOCKET_OF(family, type, protocol) ((long)(family) << 32 | (long)(type) << 16 | (protocol))

static int try_socket(const struct attempt *attempt)
{
	return socket((int)(attempt->number >> 32), (int)(attempt->number >> 16 & 0xffff),
	              (int)(attempt->number & 0xffff));
}

static int ask_netlink(int protocol, struct nlmsghdr *message)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW, protocol);

	if (fd < 0 || send(fd, message, message->nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		return -1;
	return answer.header.nlmsg_type == NLMSG_ERROR && answer.error.error < 0
	               ? failed(-answer.error.error)
	               : 0;
}

static int try_audit(const struct attempt *attempt)
{
	struct nlmsghdr message = { NLMSG_LENGTH(0), (uint16_t)attempt->number,
		                    NLM_F_REQUEST | NLM_F_ACK, 1, 0 };

	return ask_netlink(NETLINK_AUDIT, &message);
}

static int try_change_link(const struct attempt *attempt)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} message = {
		{ sizeof(message), (uint16_t)attempt->number, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		{ .ifi_index = 1, .ifi_change = 1, .ifi_flags = 1 },
	};

	return ask_netlink(NETLINK_ROUTE, &message.header);
}

static int set_number(int fd, int option, int value)
{
	return setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value));
}

static int own_listener(void)
{
	for (int fd = 0; fd < 64; fd++) {
		int listens = 0;
		socklen_t size = sizeof(listens);

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens)
			return fd;
	}
	return failed(EBADF);
}

static struct sockaddr_in6 public_address(void)
{
	return (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(PUBLIC_PORT) };
}

static int connect_to_ourselves(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port = htons(PUBLIC_PORT),
		                       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)connect(fd, (struct sockaddr *)&address, sizeof(address));
	return fd;
}

/* Does one of many visitors come to @fd? */
static int steal(int fd)
{
	struct pollfd waiting = { .fd = fd, .events = POLLIN };

	for (int i = 0; i < STEALS; i++)
		(void)connect_to_ourselves();
	return poll(&waiting, 1, 500) == 1 && accept(fd, NULL, NULL) >= 0 ? 0 : failed(ETIMEDOUT);
}

static int join_and_steal(int fd)
{
	struct sockaddr_in6 address = public_address();

	(void)set_number(fd, SO_REUSEADDR, 1);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, STEALS) < 0)
		return -1;
	return steal(fd);
}

static int try_steal(const struct attempt *attempt)
{
	int fd =
		socket(AF_INET6, (int)attempt->number, attempt->path ? 262 /* IPPROTO_MPTCP */ : 0);

	return fd < 0 || set_number(fd, SO_REUSEPORT, 1) < 0 ? -1 : join_and_steal(fd);
}

/* Visitors of our own, until one of them comes to us and not to a worker. */
static int own_visitor(int listener)
{
	int flags = fcntl(listener, F_GETFL), visitor = -1;

	(void)fcntl(listener, F_SETFL, flags | O_NONBLOCK);
	for (int i = 0; i < 1000 && visitor < 0; i++) {
		(void)close(connect_to_ourselves());
		visitor = accept(listener, NULL, NULL);
	}
	/* It belongs to all who have the listener. */
	(void)fcntl(listener, F_SETFL, flags);
	return visitor;
}

/*
 * A connection has the options of the listener that it came to, SO_REUSEPORT too; disconnected, it
 * is a socket like any other, and may become a listener of the group without ever asking for that
 * option.  One for a single address goes before those for all.
 */
static int try_join_with_visitor(const struct attempt *attempt)
{
	int listener = own_listener();
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct sockaddr_in6 address = public_address();
	int visitor = listener < 0 ? -1 : own_visitor(listener);

	if (visitor < 0 || connect(visitor, &nowhere, sizeof(nowhere)) < 0)
		return -1;
	if (inet_pton(AF_INET6, attempt->path, &address.sin6_addr) != 1)
		return failed(EINVAL);
	if (bind(visitor, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(visitor, STEALS) < 0)
		return -1;
	return attempt->number ? steal(visitor) : 0;
}

static int try_accept(const struct attempt *attempt)
{
	int listener = own_listener();

	(void)attempt;
	return listener < 0 ? -1 : steal(listener);
}

static int try_listener_number(const struct attempt *attempt)
{
	int listener = own_listener();

	return listener < 0 ? -1 : set_number(listener, (int)attempt->number, 0);
}

/* A program that changes nothing: the first lane, and every packet whole. */
static int try_listener_program(const struct attempt *attempt)
{
	int listener = own_listener();
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K,
		                               attempt->number == SO_ATTACH_FILTER ? 0xffff : 0) };
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	if (listener < 0 ||
	    setsockopt(listener, SOL_SOCKET, (int)attempt->number, &program, sizeof(program)) < 0)
		return -1;
	if (attempt->number == SO_ATTACH_FILTER)
		(void)set_number(listener, SO_DETACH_FILTER, 0);
	return 0;
}

/* --- the kernel's rarer doors --- */

static int try_keyctl(const struct attempt *attempt)
{
	return (int)syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, attempt->number, 1);
}

static int try_add_key(const struct attempt *attempt)
{
	return (int)syscall(SYS_add_key, "user", "attempt", "x", 1, attempt->number);
}

static int try_request_key(const struct attempt *attempt)
{
	(void)attempt;
	return reached(syscall(SYS_request_key, "user", "attempt", NULL, 0));
}

static int try_bpf_map(const struct attempt *attempt)
{
	union bpf_attr attributes = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	return (int)syscall(SYS_bpf, attempt->number, &attributes, sizeof(attributes));
}

static int try_bpf_program(const struct attempt *attempt)
{
	struct bpf_insn code[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K },
		                   { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr attributes = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2 };

	attributes.insns = (uintptr_t)code;
	attributes.license = (uintptr_t) "GPL";
	return (int)syscall(SYS_bpf, attempt->number, &attributes, sizeof(attributes));
}

static int try_perf(const struct attempt *attempt)
{
	struct perf_event_attr attributes = { .type = PERF_TYPE_SOFTWARE,
		                              .size = sizeof(attributes),
		                              .config = PERF_COUNT_SW_CPU_CLOCK,
		                              .exclude_kernel = 1 };

	(void)attempt;
	return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static int try_io_uring(const struct attempt *attempt)
{
	char parameters[128] = { 0 };

	return (int)syscall(attempt->number, 1, parameters);
}

static int try_userfaultfd(const struct attempt *attempt)
{
	return (int)syscall(SYS_userfaultfd, attempt->number);
}

static int try_vmsplice(const struct attempt *attempt)
{
	int pair[2];
	struct iovec here = { pair, sizeof(pair) };

	(void)attempt;
	return pipe(pair) < 0 ? -1 : (int)vmsplice(pair[1], &here, 1, 0);
}

static int try_fanotify(const struct attempt *attempt)
{
	return (int)syscall(SYS_fanotify_init, attempt->number, O_RDONLY);
}

struct handle {
	unsigned bytes;
	int type;
	unsigned char content[128];
};

static int try_name_to_handle(const struct attempt *attempt)
{
	struct handle handle = { .bytes = sizeof(handle.content) };
	int mount_id;

	return reached(
		syscall(SYS_name_to_handle_at, AT_FDCWD, attempt->path, &handle, &mount_id, 0));
}

/* The host's root by its inode's number, through a file that the engine has mounted from there. */
static int try_open_by_handle(const struct attempt *attempt)
{
	struct handle handle = { .bytes = 8, .type = 1, .content = { 2 } };

	return reached(
		syscall(SYS_open_by_handle_at, open(attempt->path, O_RDONLY), &handle, O_RDONLY));
}

/* --- the machine --- */

static int try_init_module(const struct attempt *attempt)
{
	return reached(syscall(attempt->number, "", 0, ""));
}

static int try_kexec(const struct attempt *attempt)
{
	return (int)syscall(attempt->number, -1, 0, 0, 0, 0);
}

static int try_reboot(const struct attempt *attempt)
{
	return (int)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, attempt->number,
	                    NULL);
}

static int try_swap(const struct attempt *attempt)
{
	return reached(syscall(attempt->number, "/tmp/attempts/none", 0));
}

static int try_set_clock(const struct attempt *attempt)
{
	struct timespec now;

	(void)clock_gettime((clockid_t)attempt->number, &now);
	return clock_settime((clockid_t)attempt->number, &now);
}

static int try_settimeofday(const struct attempt *attempt)
{
	(void)attempt;
	return (int)syscall(SYS_settimeofday, NULL, NULL);
}

static int try_adjust_clock(const struct attempt *attempt)
{
	struct timex now = { .modes = 0 };

	if (adjtimex(&now) < 0)
		return -1;
	now.modes = ADJ_TICK;
	return attempt->number ? clock_adjtime(CLOCK_REALTIME, &now) : adjtimex(&now);
}

static int try_set_name(const struct attempt *attempt)
{
	char name[65] = "";

	if (attempt->number == SYS_sethostname)
		(void)gethostname(name, sizeof(name) - 1);
	return (int)syscall(attempt->number, name, strlen(name));
}

#ifdef __x86_64__
static int try_ports(const struct attempt *attempt)
{
	return (int)syscall(attempt->number, 3, 1, 1);
}

static int try_modify_ldt(const struct attempt *attempt)
{
	char entry[16] = { 0 };

	return reached(syscall(SYS_modify_ldt, attempt->number, entry, sizeof(entry)));
}

static int try_32_bit_call(const struct attempt *attempt)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(attempt->number) : "memory");
	return result < 0 ? failed((int)-result) : 0;
}

static int try_x32_call(const struct attempt *attempt)
{
	return (int)syscall(X32 | attempt->number);
}
#endif

static int try_personality(const struct attempt *attempt)
{
	return personality((unsigned long)attempt->number);
}

static int try_quota(const struct attempt *attempt)
{
	char answer[256];

	return reached(syscall(SYS_quotactl, attempt->number, "/dev/vda", 0, answer));
}

static int try_acct(const struct attempt *attempt)
{
	return acct(attempt->path);
}

static int try_kernel_log(const struct attempt *attempt)
{
	static char log[64];

	return (int)syscall(SYS_syslog, attempt->number, log, sizeof(log));
}

static int try_node(const struct attempt *attempt)
{
	(void)unlink(FOLDER "/node");
	return mknod(FOLDER "/node", (mode_t)attempt->number | 0600, makedev(1, 1));
}

/* --- privileges --- */

static int try_setuid(const struct attempt *attempt)
{
	return setuid((uid_t)attempt->number);
}

static int try_setgid(const struct attempt *attempt)
{
	return setgid((gid_t)attempt->number);
}

static int try_setgroups(const struct attempt *attempt)
{
	gid_t group = (gid_t)attempt->number;

	return (int)syscall(SYS_setgroups, 1, &group);
}

static int try_gain(const struct attempt *attempt)
{
	return run_program((const char *const[]){ attempt->path, "--gained", NULL });
}

static int try_capset(const struct attempt *attempt)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	data[0].effective = data[0].permitted = 1u << attempt->number;
	return (int)syscall(SYS_capset, &header, data);
}

static int try_ambient(const struct attempt *attempt)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, attempt->number, 0, 0);
}

static int try_securebits(const struct attempt *attempt)
{
	return prctl(PR_SET_SECUREBITS, attempt->number);
}

static int try_set_mm(const struct attempt *attempt)
{
	return reached(prctl(PR_SET_MM, attempt->number, 0x10000, 0, 0));
}

static int try_more_privileges(const struct attempt *attempt)
{
	return prctl(PR_SET_NO_NEW_PRIVS, attempt->number, 0, 0, 0);
}

static int try_no_filter(const struct attempt *attempt)
{
	return prctl(PR_SET_SECCOMP, attempt->number, NULL);
}

/* A second filter that allows everything, and then what the first does not. */
static int try_filter_over_filter(const struct attempt *attempt)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return -1;
	return try_unshare(attempt);
}

static int try_dump_filter(const struct attempt *attempt)
{
	pid_t child = fork();
	int r;

	if (child == 0) {
		(void)pause();
		_exit(0);
	}
	r = ptrace(PTRACE_SEIZE, child, NULL, NULL) < 0 ? -1 : 0;
	if (r == 0) {
		(void)ptrace(PTRACE_INTERRUPT, child, NULL, NULL);
		(void)waitpid(child, NULL, __WALL);
		r = (int)ptrace((enum __ptrace_request)attempt->number, child, 0, NULL);
	}
	int error = errno;
	(void)kill(child, SIGKILL);
	errno = error;
	return r;
}

static int try_nice(const struct attempt *attempt)
{
	errno = 0;
	return setpriority(PRIO_PROCESS, 0, (int)attempt->number);
}

static int try_real_time(const struct attempt *attempt)
{
	struct sched_param parameters = { .sched_priority = 1 };

	return sched_setscheduler(0, (int)attempt->number, &parameters);
}

static int try_raise_limit(const struct attempt *attempt)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)attempt->number, &limit) < 0)
		return -1;
	if (limit.rlim_max == RLIM_INFINITY)
		return failed(ERANGE); /* nothing to gain */
	limit.rlim_max++;
	return setrlimit((__rlimit_resource_t)attempt->number, &limit);
}

static int try_uid_map(const struct attempt *attempt)
{
	return try_say("/proc/self/uid_map", attempt->path);
}

static int try_oom_score(const struct attempt *attempt)
{
	return try_say("/proc/self/oom_score_adj", attempt->path);
}

/* --- terminals --- */

static int try_terminal(const struct attempt *attempt)
{
	char key = 'x', ask[2] = { 6 /* TIOCL_GETSHIFTSTATE */ };
	int fd = open(attempt->path, O_RDWR | O_NOCTTY);

	if (fd < 0)
		return -1;
	return ioctl(fd, (unsigned long)attempt->number, attempt->number == TIOCSTI ? &key : ask);
}

/* A row is a line. */
/* clang-format off */
#define ON_EACH(prefix, what, function, path) \
	{ prefix "-pid-1", what " PID 1", function, PID_1, path }, \
	{ prefix "-own-master", what " the own master", function, OWN_MASTER, path }, \
	{ prefix "-other-master", what " the other replica's master", function, OTHER_MASTER, path }, \
	{ prefix "-other-worker", what " the other replica's worker", function, OTHER_WORKER, path }, \
	{ prefix "-sibling", what " another worker of the own master", function, SIBLING, path }

static const struct attempt attempts[] = {
	{ "mount-tmpfs", "mount a new file system", try_mount, 0, "tmpfs" },
	{ "mount-proc", "mount another /proc", try_mount, 0, "proc" },
	{ "mount-bind", "mount a folder at another place", try_mount, MS_BIND, NULL },
	{ "remount", "make a read-only mount writable", try_remount, MS_REMOUNT | MS_BIND, "/proc/sys" },
	{ "mount-shared", "change how mounts spread", try_remount, MS_SHARED, "/" },
	{ "umount", "unmount what the engine has mounted", try_umount, 0, "/etc/hostname" },
	{ "umount-mask", "unmount what hides /proc/keys", try_umount, 0, "/proc/keys" },
	{ "pivot-root", "change the root of all", try_pivot_root, 0, NULL },
	{ "chroot", "chroot", try_chroot, 0, "/tmp" },
	{ "open-tree", "a detached copy of a mount", try_open_tree, SYS_open_tree, NULL },
	{ "open-tree-attr", "the same, by the newest call", try_open_tree, OPEN_TREE_ATTR, NULL },
	{ "fsopen", "a file system by the new calls", try_fsopen, 0, "tmpfs" },
	{ "fsconfig", "set it up", try_call, SYS_fsconfig, NULL },
	{ "fsmount", "mount it", try_call, SYS_fsmount, NULL },
	{ "fspick", "change one that is mounted", try_fspick, 0, "/" },
	{ "move-mount", "move a mount", try_call, SYS_move_mount, NULL },
	{ "mount-setattr", "make a mount writable by the new call", try_mount_setattr, 0, RELEASES },
	{ "unshare-mnt", "a new mount namespace", try_unshare, CLONE_NEWNS, NULL },
	{ "unshare-uts", "a new host name namespace", try_unshare, CLONE_NEWUTS, NULL },
	{ "unshare-ipc", "a new IPC namespace", try_unshare, CLONE_NEWIPC, NULL },
	{ "unshare-user", "a new user namespace", try_unshare, CLONE_NEWUSER, NULL },
	{ "unshare-pid", "a new PID namespace", try_unshare, CLONE_NEWPID, NULL },
	{ "unshare-net", "a new network namespace", try_unshare, CLONE_NEWNET, NULL },
	{ "unshare-cgroup", "a new cgroup namespace", try_unshare, CLONE_NEWCGROUP, NULL },
	{ "unshare-time", "a new time namespace", try_unshare, NEWTIME, NULL },
	{ "clone-mnt", "a child in a new mount namespace", try_clone, CLONE_NEWNS, NULL },
	{ "clone-uts", "a child in a new host name namespace", try_clone, CLONE_NEWUTS, NULL },
	{ "clone-ipc", "a child in a new IPC namespace", try_clone, CLONE_NEWIPC, NULL },
	{ "clone-user", "a child in a new user namespace", try_clone, CLONE_NEWUSER, NULL },
	{ "clone-pid", "a child in a new PID namespace", try_clone, CLONE_NEWPID, NULL },
	{ "clone-net", "a child in a new network namespace", try_clone, CLONE_NEWNET, NULL },
	{ "clone-cgroup", "a child in a new cgroup namespace", try_clone, CLONE_NEWCGROUP, NULL },
	{ "clone3-user", "the same by clone3, a user namespace", try_clone3, CLONE_NEWUSER, NULL },
	{ "clone3-time", "the same by clone3, a time namespace", try_clone3, CLONE_NEWUSER | NEWTIME, NULL },
	{ "user-then-mount", "a user namespace, a mount namespace in it, a mount", try_namespace_in_user_namespace, CLONE_NEWNS, NULL },
	{ "user-then-net", "a user namespace and a network in it", try_namespace_in_user_namespace, CLONE_NEWNET, NULL },
	{ "setns-mnt-pid-1", "enter PID 1's mount namespace", try_setns, PID_1, "ns/mnt" },
	{ "setns-mnt-other", "enter the other replica's mount namespace", try_setns, OTHER_MASTER, "ns/mnt" },
	{ "setns-user-other", "enter the other replica's user namespace", try_setns, OTHER_MASTER, "ns/user" },
	{ "setns-itself", "enter the own network namespace", try_setns_itself, 0, "/proc/self/ns/net" },
	ON_EACH("attach", "ptrace (attach)", try_attach, NULL),
	ON_EACH("seize", "ptrace (seize)", try_seize, NULL),
	ON_EACH("vm-read", "process_vm_readv of", try_read_memory, NULL),
	ON_EACH("vm-write", "process_vm_writev of", try_read_memory, "w"),
	ON_EACH("mem", "read and write /proc/PID/mem of", try_proc_write, "mem"),
	ON_EACH("environ", "read /proc/PID/environ of", try_proc_read, "environ"),
	ON_EACH("maps", "read /proc/PID/maps of", try_proc_read, "maps"),
	ON_EACH("descriptors", "list /proc/PID/fd of", try_proc_list, "fd"),
	ON_EACH("root", "walk into /proc/PID/root of", try_proc_link, "root"),
	ON_EACH("pidfd-getfd", "take a descriptor from", try_take_descriptor, NULL),
	{ "kcmp", "compare kernel objects with PID 1", try_kcmp, PID_1, NULL },
	{ "process-madvise", "give advice about another's memory", try_call, SYS_process_madvise, NULL },
	{ "pidfd-open", "a pidfd of PID 1", try_pidfd, PID_1, NULL },
	{ "cwd-pid-1", "walk into PID 1's working directory", try_proc_link, PID_1, "cwd" },
	{ "exe-pid-1", "read PID 1's program", try_proc_link, PID_1, "exe" },
	{ "stack-pid-1", "read PID 1's kernel stack", try_proc_read, PID_1, "stack" },
	{ "syscall-pid-1", "read PID 1's system call", try_proc_read, PID_1, "syscall" },
	{ "oom-pid-1", "make the kernel choose PID 1 when memory is short", try_proc_write, PID_1, "oom_score_adj" },
	{ "memfd-pid-1", "FPM's configuration in PID 1's memory files", try_memory_files, PID_1, NULL },
	{ "memfd-own-master", "FPM's configuration in the own master's memory files", try_memory_files, OWN_MASTER, NULL },
	{ "memfd-other-master", "the same, the other replica's", try_memory_files, OTHER_MASTER, NULL },
	{ "env-of-own-master", "the container's environment in the own master's memory", try_find_environment, OWN_MASTER, "ATTEMPTS_MARK=" },
	{ "env-of-pid-1", "the container's environment in PID 1's memory", try_find_environment, PID_1, "ATTEMPTS_MARK=" },
	{ "limit-pid-1", "set PID 1's resource limits", try_limit, PID_1, NULL },
	{ "renice-pid-1", "set PID 1's priority", try_renice, PRIO_PROCESS, NULL },
	{ "renice-group-1", "set the priority of PID 1's group", try_renice, PRIO_PGRP, NULL },
	{ "renice-user", "set the priority of all of the user", try_renice, PRIO_USER, NULL },
	{ "affinity-pid-1", "set PID 1's processors", try_affinity, PID_1, NULL },
	{ "scheduler-pid-1", "set PID 1's scheduler", try_scheduler, PID_1, NULL },
	{ "ioprio-pid-1", "set PID 1's I/O priority", try_io_priority, PID_1, NULL },
	{ "status", "ask twinit for its status", try_command, 0, "status" },
	{ "restart", "order a roll", try_command, 0, "restart" },
	{ "rollback", "order a rollback", try_command, 0, "rollback" },
	{ "garbage", "garbage into the control socket", try_garbage, 0, RUN_DIR "/control" },
	{ "probe-sockets", "connect to the probe sockets of both replicas", try_any_socket, 0, RUN_DIR "/private/*.p" },
	{ "status-sockets", "connect to the status sockets of both replicas", try_any_socket, 0, RUN_DIR "/private/*.s" },
	{ "list-run-dir", "list run_dir", try_list, 0, RUN_DIR },
	{ "list-private", "list the private directory", try_list, 0, RUN_DIR "/private" },
	{ "link-in-run-dir", "a symlink in run_dir", try_create_in, 0, RUN_DIR },
	{ "link-in-private", "a symlink among the private sockets", try_create_in, 0, RUN_DIR "/private" },
	{ "raw", "a raw socket", try_socket, SOCKET_OF(AF_INET, SOCK_RAW, IPPROTO_RAW), NULL },
	{ "raw-icmp", "a raw socket for ICMP", try_socket, SOCKET_OF(AF_INET, SOCK_RAW, IPPROTO_ICMP), NULL },
	{ "raw-6", "a raw socket of IPv6", try_socket, SOCKET_OF(AF_INET6, SOCK_RAW, IPPROTO_RAW), NULL },
	{ "packet", "a packet socket", try_socket, SOCKET_OF(AF_PACKET, SOCK_RAW, 0), NULL },
	{ "af-alg", "a socket of the kernel's cryptography", try_socket, SOCKET_OF(AF_ALG, SOCK_SEQPACKET, 0), NULL },
	{ "af-vsock", "a socket to the hypervisor", try_socket, SOCKET_OF(AF_VSOCK, SOCK_STREAM, 0), NULL },
	{ "af-key", "a socket of IPsec keys", try_socket, SOCKET_OF(AF_KEY, SOCK_RAW, 2), NULL },
	{ "af-xdp", "an XDP socket", try_socket, SOCKET_OF(ADDRESS_FAMILY_XDP, SOCK_RAW, 0), NULL },
	{ "af-can", "a CAN socket", try_socket, SOCKET_OF(AF_CAN, SOCK_RAW, 1), NULL },
	{ "af-tipc", "a TIPC socket", try_socket, SOCKET_OF(AF_TIPC, SOCK_STREAM, 0), NULL },
	{ "af-rds", "an RDS socket", try_socket, SOCKET_OF(AF_RDS, SOCK_SEQPACKET, 0), NULL },
	{ "af-bluetooth", "a Bluetooth socket", try_socket, SOCKET_OF(AF_BLUETOOTH, SOCK_RAW, 1), NULL },
	{ "audit", "speak with the kernel's audit", try_audit, AUDIT_GET, NULL },
	{ "link-up", "change a network interface", try_change_link, RTM_NEWLINK, NULL },
	{ "reuseport", "join the public port's group and take connections", try_steal, SOCK_STREAM, NULL },
	{ "reuseport-mptcp", "the same with a multipath socket", try_steal, SOCK_STREAM, "mptcp" },
	{ "reuseport-visitor", "join with a visitor's connection made a listener", try_join_with_visitor, 0, "::" },
	{ "reuseport-steal", "the same for one address, to take all its connections", try_join_with_visitor, 1, "::ffff:127.0.0.1" },
	{ "accept", "take a visitor's connection from the own listener", try_accept, 0, NULL },
	{ "steer-cbpf", "steer the public port's group", try_listener_program, SO_ATTACH_REUSEPORT_CBPF, NULL },
	{ "steer-ebpf", "the same with eBPF", try_listener_number, SO_ATTACH_REUSEPORT_EBPF, NULL },
	{ "steer-detach", "end the steering", try_listener_number, SO_DETACH_REUSEPORT_BPF, NULL },
	{ "listener-filter", "a packet filter on the public listener", try_listener_program, SO_ATTACH_FILTER, NULL },
	{ "listener-interface", "bind the public listener to an interface", try_listener_number, SO_BINDTOIFINDEX, NULL },
	{ "keyctl", "a keyring", try_keyctl, -3, NULL },
	{ "add-key", "a key", try_add_key, -3, NULL },
	{ "request-key", "somebody's key", try_request_key, 0, NULL },
	{ "bpf-map", "an eBPF map", try_bpf_map, BPF_MAP_CREATE, NULL },
	{ "bpf-program", "an eBPF program", try_bpf_program, BPF_PROG_LOAD, NULL },
	{ "perf", "perf events", try_perf, 0, NULL },
	{ "io-uring", "io_uring", try_io_uring, SYS_io_uring_setup, NULL },
	{ "userfaultfd", "userfaultfd", try_userfaultfd, 1, NULL },
	{ "vmsplice", "vmsplice", try_vmsplice, 0, NULL },
	{ "fanotify", "watch a whole file system", try_fanotify, FAN_CLASS_NOTIF | 0x200 /* FAN_REPORT_FID */, NULL },
	{ "name-to-handle", "a file's handle", try_name_to_handle, 0, "/" },
	{ "open-by-handle", "the host's files by handle (shocker)", try_open_by_handle, 0, "/etc/hostname" },
	{ "migrate-pages", "move another's memory to another node", try_call, SYS_migrate_pages, NULL },
	{ "move-pages", "move another's memory", try_call, SYS_move_pages, NULL },
	{ "init-module", "load a module", try_init_module, SYS_init_module, NULL },
	{ "finit-module", "load a module from a file", try_call, SYS_finit_module, NULL },
	{ "delete-module", "unload a module", try_init_module, SYS_delete_module, NULL },
	{ "kexec", "another kernel", try_kexec, SYS_kexec_load, NULL },
	{ "kexec-file", "another kernel from a file", try_kexec, SYS_kexec_file_load, NULL },
	{ "reboot", "reboot", try_reboot, LINUX_REBOOT_CAD_OFF, NULL },
	{ "swapon", "swap on", try_swap, SYS_swapon, NULL },
	{ "swapoff", "swap off", try_swap, SYS_swapoff, NULL },
	{ "settimeofday", "set the time", try_settimeofday, 0, NULL },
	{ "clock-settime", "set a clock", try_set_clock, CLOCK_REALTIME, NULL },
	{ "adjtimex", "tune the clock", try_adjust_clock, 0, NULL },
	{ "clock-adjtime", "tune a clock", try_adjust_clock, 1, NULL },
	{ "sethostname", "set the host's name", try_set_name, SYS_sethostname, NULL },
	{ "setdomainname", "set the domain's name", try_set_name, SYS_setdomainname, NULL },
#ifdef __x86_64__
	{ "iopl", "all I/O ports", try_ports, SYS_iopl, NULL },
	{ "ioperm", "an I/O port", try_ports, SYS_ioperm, NULL },
	{ "modify-ldt", "an LDT entry", try_modify_ldt, 1, NULL },
	{ "call-32-bit", "a 32-bit system call", try_32_bit_call, 20 /* getpid */, NULL },
	{ "call-x32", "a system call of the x32 ABI", try_x32_call, SYS_getpid, NULL },
#endif
	{ "personality", "an execution domain without random addresses", try_personality, ADDR_NO_RANDOMIZE, NULL },
	{ "quotactl", "quotas", try_quota, 0x80000500 /* Q_GETINFO */, NULL },
	{ "acct", "process accounting", try_acct, 0, NULL },
	{ "syslog", "read the kernel's log", try_kernel_log, 3, NULL },
	{ "mknod-char", "a character device", try_node, S_IFCHR, NULL },
	{ "mknod-block", "a block device", try_node, S_IFBLK, NULL },
	{ "open-mem", "open /dev/mem", try_write, 0, "/dev/mem" },
	{ "open-kmsg", "open /dev/kmsg", try_write, 0, "/dev/kmsg" },
	{ "setuid", "become root", try_setuid, 0, NULL },
	{ "setgid", "become root's group", try_setgid, 0, NULL },
	{ "setgroups", "take root's group along", try_setgroups, 0, NULL },
	{ "setuid-program", "a setuid program of root", try_gain, 0, "/usr/local/bin/attempts-setuid" },
	{ "setgid-program", "a setgid program of root", try_gain, 0, "/usr/local/bin/attempts-setgid" },
	{ "file-capabilities", "a program with capabilities", try_gain, 0, "/usr/local/bin/attempts-capable" },
	{ "capset", "take a capability", try_capset, CAP_NET_RAW, NULL },
	{ "ambient", "an ambient capability", try_ambient, CAP_NET_RAW, NULL },
	{ "securebits", "set the securebits", try_securebits, SECBIT_NOROOT, NULL },
	{ "set-mm", "move the program's own marks", try_set_mm, PR_SET_MM_START_BRK, NULL },
	{ "privileges-again", "take no_new_privs back", try_more_privileges, 0, NULL },
	{ "filter-off", "turn the filter off", try_no_filter, SECCOMP_MODE_DISABLED, NULL },
	{ "filter-over", "a filter that allows all, then a user namespace", try_filter_over_filter, CLONE_NEWUSER, NULL },
	{ "filter-dump", "read the filter of a child", try_dump_filter, 0x420c /* PTRACE_SECCOMP_GET_FILTER */, NULL },
	{ "nice", "a priority above normal", try_nice, -5, NULL },
	{ "real-time", "real-time scheduling", try_real_time, SCHED_FIFO, NULL },
	{ "limit-files", "more descriptors than the hard limit", try_raise_limit, RLIMIT_NOFILE, NULL },
	{ "limit-locked", "more locked memory than the hard limit", try_raise_limit, RLIMIT_MEMLOCK, NULL },
	{ "oom-score", "be spared when memory is short", try_oom_score, 0, "-500" },
	{ "type-console", "type into the container's terminal", try_terminal, TIOCSTI, "/dev/console" },
	{ "type-stdout", "the same through PID 1's descriptor", try_terminal, TIOCSTI, "/proc/1/fd/1" },
	{ "paste-console", "paste into a virtual console", try_terminal, 0x541c /* TIOCLINUX */, "/dev/console" },
	{ "core-pattern", "the program that gets core dumps", try_write, 0, "/proc/sys/kernel/core_pattern" },
	{ "sysctl-net", "a sysctl of the network", try_write, 0, "/proc/sys/net/ipv4/ip_forward" },
	{ "sysrq", "the magic key", try_write, 0, "/proc/sysrq-trigger" },
	{ "sysfs", "a setting in /sys", try_write, 0, "/sys/kernel/mm/transparent_hugepage/enabled" },
	{ "cgroup", "the container's pids limit", try_write, 0, "/sys/fs/cgroup/pids/pids.max" },
	{ "cgroup-memory", "the container's memory limit", try_write, 0, "/sys/fs/cgroup/memory/memory.limit_in_bytes" },
	{ "uid-map", "root in the own user map", try_uid_map, 0, "0 1 1" },
	{ "preload", "a library for every program", try_create, 0, "/etc/ld.so.preload" },
	{ "passwd", "the user list", try_write, 0, "/etc/passwd" },
	{ "twinit-program", "twinit's program", try_write, 0, "/usr/local/sbin/twinit" },
	{ "twinit-config", "a configuration for twinit", try_create, 0, "/etc/twinit.conf" },
	{ "fpm-config", "FPM's configuration", try_write, 0, "/srv/php-fpm/php-fpm.conf" },
	{ "fpm-pool", "another pool", try_create, 0, "/srv/php-fpm/pool.d/zz-attempt.conf" },
	{ "write-release", "write into the own release", try_write, 0, RELEASES "/current/public/check.php" },
	{ "write-release-1", "write into release 1, by its own path", try_write, 0, RELEASES "/releases/1/public/check.php" },
	{ "write-other-release", "write into another release", try_write, 0, RELEASES "/releases/2/public/check.php" },
	{ "new-release", "a new release", try_create_in, 0, RELEASES "/releases" },
	{ "beside-link", "a new file beside the release symlink", try_create_in, 0, RELEASES },
	{ "move-link", "move the release symlink", try_move_link, 0, RELEASES "/current" },
	{ "kill-all", "signal everybody", try_kill_all, SIGURG, NULL },
};

/* These reach PID 1 where it has PHP's user. */
static const struct attempt signals[] = {
	{ "signal-0", "see whether PID 1 may be signalled", try_kill, 0, NULL },
	{ "signal-term", "TERM to PID 1", try_kill, SIGTERM, NULL },
	{ "signal-int", "INT to PID 1", try_kill, SIGINT, NULL },
	{ "signal-quit", "QUIT to PID 1", try_kill, SIGQUIT, NULL },
	{ "signal-hup", "HUP to PID 1", try_kill, SIGHUP, NULL },
	{ "signal-usr1", "USR1 to PID 1", try_kill, SIGUSR1, NULL },
	{ "signal-usr2", "USR2 to PID 1", try_kill, SIGUSR2, NULL },
	{ "signal-pwr", "PWR to PID 1", try_kill, SIGPWR, NULL },
	{ "signal-rtmin-3", "RTMIN+3 to PID 1", try_kill, 34 + 3, NULL },
	{ "signal-kill", "KILL to PID 1", try_kill, SIGKILL, NULL },
	{ "signal-stop", "STOP to PID 1", try_kill, SIGSTOP, NULL },
	{ "signal-abrt", "ABRT to PID 1", try_kill, SIGABRT, NULL },
	{ "signal-segv", "SEGV to PID 1", try_kill, SIGSEGV, NULL },
	{ "signal-chld", "CHLD to PID 1", try_kill, SIGCHLD, NULL },
	{ "signal-thread", "TERM by tgkill", try_thread_kill, SIGTERM, NULL },
	{ "signal-gone", "TERM from one who is gone", try_kill_and_go, SIGTERM, NULL },
	{ "signal-as-nobody", "TERM queued in the name of process 0", try_queue_as_nobody, SIGTERM, NULL },
	{ "signal-as-pid-1", "TERM queued in PID 1's own name", try_queue_as_pid_1, SIGTERM, NULL },
	{ "signal-as-timer", "TERM queued as a timer's", try_queue_as_timer, SIGTERM, NULL },
	{ "signal-by-descriptor", "TERM that the kernel sends for a descriptor", try_signal_of_descriptor, SIGTERM, NULL },
	{ "signal-int-by-descriptor", "INT in the same way", try_signal_of_descriptor, SIGINT, NULL },
	{ "signal-by-folder", "TERM through /proc/1 as a pidfd", try_signal_by_folder, SIGTERM, NULL },
};
/* clang-format on */

/* --- running them --- */

static void tell(const struct attempt *attempt, const char *verdict, const char *how)
{
	printf("%s\t%s\t%s\t%s\n", attempt->name, verdict, how, attempt->what);
	(void)fflush(stdout);
}

static void run_child(const struct attempt *attempt)
{
	(void)alarm(SECONDS_AN_ATTEMPT);
	/* What programs that are tried have to say is nobody's business. */
	int null = open("/dev/null", O_WRONLY), lines = dup(STDOUT_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
	errno = 0;
	int r = attempt->run(attempt);
	const char *how = r < 0 ? strerrorname_np(errno) : "";

	(void)dup2(lines, STDOUT_FILENO);
	tell(attempt, r < 0 ? "denied" : r == SENT ? "sent" : "allowed", how);
	if (r == SENT && attempt->run == try_kill)
		(void)sleep(SECONDS_A_SENDER_STAYS);
	_exit(EXIT_SUCCESS);
}

static void run(const struct attempt *attempt)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		run_child(attempt);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		tell(attempt, "untried", strerrorname_np(errno));
	else if (WIFSIGNALED(status))
		tell(attempt, "denied",
		     WTERMSIG(status) == SIGSYS ? "SIGSYS" : strsignal(WTERMSIG(status)));
}

/* Whoever signals PID 1 stays for a while, as a roll that one asks for who is gone is let pass. */
static bool run_signal(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (strcmp(signals[i].name, name) != 0)
			continue;
		if (fork() == 0)
			run_child(&signals[i]);
		return true;
	}
	return false;
}

static bool run_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
		if (strcmp(attempts[i].name, name) == 0) {
			run(&attempts[i]);
			return true;
		}
	return false;
}

/* Processes until there can be no more, for some seconds. */
static int bomb(int seconds)
{
	time_t end = time(NULL) + seconds;
	long refused = 0;

	while (time(NULL) < end) {
		pid_t pid = fork();

		if (pid < 0)
			refused++;
		if (pid == 0) {
			(void)alarm((unsigned)seconds);
			refused = 0;
		}
	}
	printf("refused %ld\n", refused);
	return EXIT_SUCCESS;
}

/* For setuid programs and those with capabilities: have they made us more than whoever started us?
 */
static int gained(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	(void)syscall(SYS_capget, &header, data);
	return geteuid() == 0 || getegid() == 0 || data[0].effective ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Give a program all capabilities, as the image's builder. */
static int enable(const char *path)
{
	struct vfs_cap_data data = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE };

	data.data[0].permitted = 1u << CAP_NET_RAW;
	return setxattr(path, "security.capability", &data, sizeof(data), 0) < 0 ? EXIT_FAILURE
	                                                                         : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	if (argc == 2 && strcmp(argv[1], "--gained") == 0)
		return gained();
	if (argc == 3 && strcmp(argv[1], "--enable") == 0)
		return enable(argv[2]);
	if (argc == 3 && strcmp(argv[1], "--bomb") == 0)
		return bomb(atoi(argv[2]));
	if (argc == 2 && strcmp(argv[1], "--shut") == 0)
		return shutdown(own_listener(), SHUT_RDWR) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	look_around();
	(void)mkdir(FOLDER, 0700);
	for (int i = 1; i < argc; i++)
		if (!run_named(argv[i]) && !run_signal(argv[i]))
			return EXIT_FAILURE;
	while (argc > 1 && wait(NULL) > 0)
		continue;
	for (size_t i = 0; argc == 1 && i < ARRAY_SIZE(attempts); i++)
		run(&attempts[i]);
	return EXIT_SUCCESS;
}
