#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "confine/caps.h"
#include "confine/filter.h"
#include "listen/lane.h"
#include "question/checkup.h"
#include "util/cgroup.h"
#include "util/cleanup.h"
#include "util/fs.h"
#include "util/text.h"

/* Ports that are free one moment and taken the next are rare. */
enum { TRIES = 3 };

enum { OTHER_LANE = 1 };

static void read_kernel(struct host_facts *host)
{
	struct utsname name;
	char *end;

	if (uname(&name) < 0)
		return;
	text_copy_cut(host->kernel, sizeof(host->kernel), name.release);
	host->kernel_major = (unsigned)strtoul(name.release, &end, 10);
	host->kernel_minor = *end == '.' ? (unsigned)strtoul(end + 1, NULL, 10) : 0;
}

static int free_address(struct address *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(in);
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&in, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &size) < 0)
		return -errno;
	*address = (struct address){ .length = size, .backlog = 1 };
	memcpy(&address->sockaddr, &in, size);
	return 0;
}

/* On the loopback the connection is there when connect(2) returns. */
static int leads_to(const struct lanes *lanes, unsigned lane)
{
	const struct address *to = &lanes->address;
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&to->sockaddr, to->length) < 0)
		return -errno;
	return lane_has_queue(lanes, lane) ? 0 : -ENOSYS;
}

/* As at the start of a site: lanes on a port, and does the kernel lead to the one that we say? */
static int try_steering(void)
{
	struct address address;
	struct lanes lanes;
	int r = -EADDRINUSE;

	for (int i = 0; i < TRIES && r == -EADDRINUSE; i++) {
		r = free_address(&address);
		if (r >= 0)
			r = lanes_open(&lanes, &address);
	}
	if (r < 0)
		return r;
	r = lanes.steered ? lanes_cutover(&lanes, OTHER_LANE) : -ENOSYS;
	if (r >= 0)
		r = leads_to(&lanes, OTHER_LANE);
	lanes_close(&lanes);
	return r;
}

static uint64_t read_number(const char *path, uint64_t otherwise)
{
	char text[32];

	return read_file(path, text, sizeof(text)) > 0 ? strtoull(text, NULL, 10) : otherwise;
}

void checkup_host(struct host_facts *host)
{
	struct rlimit files;

	*host = (struct host_facts){
		.steering = try_steering(),
		.uid = geteuid(),
		.caps = caps_effective(),
		.seccomp = filter_is_present(),
		.somaxconn = read_number("/proc/sys/net/core/somaxconn", 0),
		.pid_max = read_number("/proc/sys/kernel/pid_max", UINT64_MAX),
		.pids_left = cgroup_pids_left(CGROUP_ROOT),
		.memory_limit = cgroup_memory_limit(CGROUP_ROOT),
		.open_files = getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_max : UINT64_MAX,
	};
	read_kernel(host);
	if (read_file("/proc/self/attr/current", host->apparmor, sizeof(host->apparmor)) < 0)
		host->apparmor[0] = '\0';
	host->apparmor[strcspn(host->apparmor, "\n")] = '\0';
}
