#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/ioctl.h>

#include "../util/scratch.h"
#include "confine/caps.h"
#include "listen/lane.h"
#include "sockets.h"
#include "util/fs.h"

enum { VISITORS = 200, NOBODY = 65534 };

/* Within a child too, so everything here says with CHECK() what does not hold. */

static void take_from(const struct lanes *lanes, unsigned lane, const char *expected)
{
	char text[16] = "";

	CHECK(is_ready(lanes->fds[lane], POLLIN, PATIENCE_MS));
	int fd = accept(lanes->fds[lane], NULL, NULL);
	CHECK(fd >= 0);
	if (expected) {
		CHECK(is_ready(fd, POLLIN, PATIENCE_MS));
		CHECK(recv(fd, text, sizeof(text) - 1, 0) == (ssize_t)strlen(expected));
		CHECK(strcmp(text, expected) == 0);
	}
	close(fd);
}

static bool all_empty(const struct lanes *lanes)
{
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		if (lane_has_queue(lanes, lane))
			return false;
	return true;
}

/* One visitor, who must arrive on @lane and nowhere else. */
static void visit_lane(const struct lanes *lanes, const struct address *address, unsigned lane)
{
	int visitor = visit_address(address);

	CHECK(visitor >= 0);
	take_from(lanes, lane, NULL);
	close(visitor);
	CHECK(all_empty(lanes));
}

/* A visitor who has said something and waits on @lane. */
static int queue_on(const struct lanes *lanes, const struct address *address, unsigned lane,
                    const char *text)
{
	int visitor = visit_address(address);

	CHECK(visitor >= 0);
	CHECK(is_ready(lanes->fds[lane], POLLIN, PATIENCE_MS));
	CHECK(is_ready(visitor, POLLOUT, PATIENCE_MS));
	CHECK(send(visitor, text, strlen(text), 0) == (ssize_t)strlen(text));
	return visitor;
}

/* --- TCP --- */

static const char *const families[] = { "127.0.0.1:%u", "[::1]:%u", "%u" };

static void in_each_family(void (*run)(void *context))
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		in_child_row(families[i], run, (void *)families[i]);
}

static void steer_all(void *context)
{
	struct address address = free_address(context);
	struct lanes lanes;

	CHECK(lanes_open(&lanes, &address) == 0);
	CHECK(lanes.steered);
	CHECK(lanes.active == 0);
	for (unsigned step = 0; step <= LANE_COUNT; step++) {
		unsigned lane = step % LANE_COUNT;

		CHECK(lanes_prepare(&lanes, lane) == 0);
		CHECK(lanes_cutover(&lanes, lane) == 0);
		CHECK(lanes.active == lane);
		for (int i = 0; i < VISITORS; i++)
			visit_lane(&lanes, &address, lane);
	}
	lanes_close(&lanes);
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		CHECK(lanes.fds[lane] == FD_NONE);
}

static void test_each_connection_goes_to_the_wanted_lane(void **state)
{
	(void)state;
	in_each_family(steer_all);
}

static void cut_over_and_back(void *context)
{
	struct address address = free_address(context);
	struct lanes lanes;

	CHECK(lanes_open(&lanes, &address) == 0);
	CHECK(lanes_keep(&lanes) == 0);
	CHECK(lanes_cutover(&lanes, 1) == 0);
	int bad = queue_on(&lanes, &address, 1, "bad");
	CHECK(lanes_cutover(&lanes, 0) == 0);
	lanes_forget(&lanes, 1);
	for (int i = 0; i < VISITORS; i++) {
		int visitor = queue_on(&lanes, &address, 0, "back");

		take_from(&lanes, 0, "back");
		close(visitor);
	}
	take_from(&lanes, 1, "bad");
	CHECK(all_empty(&lanes));
	close(bad);
	lanes_close(&lanes);
}

static void test_a_cutover_leads_back(void **state)
{
	(void)state;
	in_each_family(cut_over_and_back);
}

/* Our own connections come to the lane that is built on, and nobody else's. */
static void reach_idle_lane(void *context)
{
	enum { OURS = 5, IDLE = 2 };
	struct address address = free_address(context);
	struct lanes lanes;
	int fds[OURS];

	CHECK(lanes_open(&lanes, &address) == 0);
	if (strchr(context, '[')) {
		CHECK(lanes_reach(&lanes, IDLE, fds, OURS) == -EAFNOSUPPORT);
		lanes_close(&lanes);
		return;
	}
	CHECK(lanes_reach(&lanes, IDLE, fds, OURS) == OURS);
	for (int i = 0; i < OURS; i++) {
		CHECK(send(fds[i], "ours", 4, MSG_NOSIGNAL) == 4);
		take_from(&lanes, IDLE, "ours");
		close(fds[i]);
	}
	CHECK(all_empty(&lanes));
	CHECK(lanes.active == 0);
	for (int i = 0; i < VISITORS; i++)
		visit_lane(&lanes, &address, 0);
	lanes_close(&lanes);
}

static void test_we_can_reach_a_lane_where_nobody_comes(void **state)
{
	(void)state;
	in_each_family(reach_idle_lane);
}

static void queue_and_cut_over(void *context)
{
	struct address address = free_address(context);
	struct lanes lanes;
	int early[3], late;

	CHECK(lanes_open(&lanes, &address) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(early); i++)
		early[i] = queue_on(&lanes, &address, 0, "early");
	CHECK(lanes_cutover(&lanes, 1) == 0);
	late = queue_on(&lanes, &address, 1, "late");
	CHECK(lane_has_queue(&lanes, 0));
	CHECK(listener_has_queue(lanes.fds[1]));
	for (size_t i = 0; i < ARRAY_SIZE(early); i++)
		take_from(&lanes, 0, "early");
	CHECK(!lane_has_queue(&lanes, 0));
	CHECK(lane_has_queue(&lanes, 1));
	take_from(&lanes, 1, "late");
	CHECK(all_empty(&lanes));
	for (size_t i = 0; i < ARRAY_SIZE(early); i++)
		close(early[i]);
	close(late);
	lanes_close(&lanes);
}

static void test_who_is_queued_stays_through_a_cutover(void **state)
{
	(void)state;
	in_each_family(queue_and_cut_over);
}

static void test_a_bare_port_takes_both_families(void **state)
{
	struct address both = free_address("%u"), v4 = { 0 }, v6 = { 0 };
	struct lanes lanes;
	char text[64];
	unsigned port = ntohs(((struct sockaddr_in6 *)&both.sockaddr)->sin6_port);

	(void)state;
	snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	assert_int_equal(address_parse(text, &v4), 0);
	snprintf(text, sizeof(text), "[::1]:%u", port);
	assert_int_equal(address_parse(text, &v6), 0);
	assert_int_equal(lanes_open(&lanes, &both), 0);
	for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
		assert_int_equal(lanes_cutover(&lanes, lane), 0);
		visit_lane(&lanes, &v4, lane);
		visit_lane(&lanes, &v6, lane);
	}
	lanes_close(&lanes);
}

/* As hostile code in PHP would, which has our user and each connection, but may not set the option.
 */
static void make_listener_of_visitor(void *context)
{
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct address address = free_address(context);
	struct lanes lanes;
	int shared = 1;
	socklen_t size = sizeof(shared);

	CHECK(lanes_open(&lanes, &address) == 0);
	for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
		CHECK(lanes_cutover(&lanes, lane) == 0);
		int visitor = visit_address(&address);
		CHECK(is_ready(lanes.fds[lane], POLLIN, PATIENCE_MS));
		int fd = accept(lanes.fds[lane], NULL, NULL);
		CHECK(getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &shared, &size) == 0);
		CHECK(shared == 0);
		CHECK(connect(fd, &nowhere, sizeof(nowhere)) == 0);
		CHECK(bind(fd, (const struct sockaddr *)&address.sockaddr, address.length) < 0);
		CHECK(errno == EADDRINUSE);
		close(fd);
		close(visitor);
	}
	lanes_close(&lanes);
}

static bool all_led_rightly(struct lanes *lanes, const struct address *address)
{
	for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
		if (lanes->lost[lane])
			continue;
		visit_lane(lanes, address, lanes->active);
		CHECK(lanes_cutover(lanes, lane) == 0);
		visit_lane(lanes, address, lane);
	}
	return true;
}

/* Two of the group are lost, one after the other, wherever visitors come: what is left is steered.
 */
static void lose_two_lanes(void *context)
{
	for (unsigned i = 0; i < LANE_COUNT * LANE_COUNT * LANE_COUNT; i++) {
		unsigned first = i % LANE_COUNT, second = i / LANE_COUNT % LANE_COUNT;
		unsigned active = i / LANE_COUNT / LANE_COUNT, refuge = 0;
		struct address address = free_address(context);
		struct lanes lanes;

		if (first == second)
			continue;
		while (refuge == first || refuge == second)
			refuge++;
		CHECK(lanes_open(&lanes, &address) == 0);
		CHECK(lanes_cutover(&lanes, active) == 0);
		CHECK(!listener_is_shut(lanes.fds[first]) && lanes_usable(&lanes, first));
		CHECK(shutdown(lanes.fds[first], SHUT_RDWR) == 0);
		CHECK(listener_is_shut(lanes.fds[first]));
		CHECK(lanes_lose(&lanes, first, refuge) == 0);
		CHECK(!lanes_usable(&lanes, first));
		CHECK(lanes.active == (active == first ? refuge : active));
		CHECK(all_led_rightly(&lanes, &address));
		CHECK(shutdown(lanes.fds[second], SHUT_RDWR) == 0);
		CHECK(lanes_lose(&lanes, second, refuge) == 0);
		CHECK(all_led_rightly(&lanes, &address));
		lanes_close(&lanes);
	}
}

static void test_lanes_that_are_shut_down_lead_nobody_astray(void **state)
{
	(void)state;
	in_each_family(lose_two_lanes);
}

static void lose_all_lanes(void *context)
{
	struct address address = free_address(context);
	struct lanes lanes;

	CHECK(lanes_open(&lanes, &address) == 0);
	CHECK(shutdown(lanes.fds[0], SHUT_RDWR) == 0);
	CHECK(lanes_lose(&lanes, 0, LANE_COUNT) == -EADDRNOTAVAIL);
	CHECK(lanes.active == 0);
	lanes_close(&lanes);
}

static void test_without_another_lane_nobody_is_led_anywhere(void **state)
{
	(void)state;
	in_each_family(lose_all_lanes);
}

static void test_a_unix_lane_that_was_shut_down_gets_another_socket(void **state)
{
	struct address address = { 0 };
	struct lanes lanes;
	char dir[SCRATCH_PATH_SIZE];

	(void)state;
	scratch_dir(dir);
	assert_int_equal(address_parse(at("%s/sock", dir), &address), 0);
	address.owner = geteuid();
	address.group = getegid();
	address.mode = 0600;
	assert_int_equal(lanes_open(&lanes, &address), 0);
	assert_int_equal(shutdown(lanes.fds[0], SHUT_RD), 0);
	assert_true(listener_is_shut(lanes.fds[0]));
	assert_false(lane_has_queue(&lanes, 0)); /* although it is readable, and will be for ever */
	assert_int_equal(lanes_lose(&lanes, 0, 1), 0);
	assert_true(lanes.lost[0] && lanes_usable(&lanes, 0));
	assert_int_equal(lanes_prepare(&lanes, 0), 0);
	assert_false(lanes.lost[0] || listener_is_shut(lanes.fds[0]));
	lanes_close(&lanes);
}

/* No loopback: who tries the gate does not come back, and does without. */
static void open_where_nothing_can_be_tried(void *context)
{
	struct address address = { 0 };
	struct lanes lanes;
	int shared = 0;
	socklen_t size = sizeof(shared);

	(void)context;
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(address_parse("0.0.0.0:9000", &address) == 0);
	CHECK(lanes_open(&lanes, &address) == 0);
	CHECK(lanes.steered && lanes.gate == FD_NONE);
	for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
		CHECK(getsockopt(lanes.fds[lane], SOL_SOCKET, SO_REUSEPORT, &shared, &size) == 0);
		CHECK(shared == 1);
		CHECK(lanes_cutover(&lanes, lane) == 0);
	}
	CHECK(lanes_refuse_new(&lanes) == 0);
	lanes_close(&lanes);
}

/* As in many a container: a bare port, and a loopback for IPv4 alone. */
static void open_where_ipv6_has_no_loopback(void *context)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct address address = { 0 };
	struct lanes lanes;

	(void)context;
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(write_file_at(-1, "/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1") >= 0);
	CHECK(ioctl(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), SIOCSIFFLAGS, &lo) == 0);
	CHECK(address_parse("9000", &address) == 0);
	CHECK(lanes_open(&lanes, &address) == 0);
	CHECK(lanes.steered && lanes.gate >= 0);
	lanes_close(&lanes);
}

static void test_the_gate_is_tried_where_ipv6_has_no_loopback(void **state)
{
	(void)state;
	only_as_root();
	in_child(open_where_ipv6_has_no_loopback, NULL);
}

static void test_a_gate_that_cannot_be_tried_is_not_relied_on(void **state)
{
	(void)state;
	only_as_root();
	in_child(open_where_nothing_can_be_tried, NULL);
}

static void test_a_connection_cannot_become_a_listener_of_the_port(void **state)
{
	(void)state;
	in_each_family(make_listener_of_visitor);
}

static void test_any_ipv6_leaves_ipv4_to_others(void **state)
{
	struct address any6 = free_address("[::]:%u"), any4 = { 0 };
	struct lanes six, four;
	char text[64];

	(void)state;
	snprintf(text, sizeof(text), "0.0.0.0:%u",
	         ntohs(((struct sockaddr_in6 *)&any6.sockaddr)->sin6_port));
	assert_int_equal(address_parse(text, &any4), 0);
	assert_int_equal(lanes_open(&six, &any6), 0);
	assert_int_equal(lanes_open(&four, &any4), 0);
	lanes_close(&six);
	lanes_close(&four);
}

/* --- strangers --- */

static const struct stranger {
	const char *says, *theirs, *ours;
	bool shared;
} strangers[] = {
	{ "somebody listens", "127.0.0.1:%u", "127.0.0.1:%u", false },
	{ "... and would share it", "127.0.0.1:%u", "127.0.0.1:%u", true },
	{ "... on all addresses", "0.0.0.0:%u", "127.0.0.1:%u", true },
	{ "... on one of those we want", "127.0.0.1:%u", "0.0.0.0:%u", true },
	{ "... on IPv6", "[::1]:%u", "[::1]:%u", true },
	{ "... on IPv4 while we want both", "127.0.0.1:%u", "%u", true },
	{ "... on both while we want IPv4", "%u", "127.0.0.1:%u", true },
};

static void meet(const struct stranger *row)
{
	unsigned port = free_port();
	struct address theirs = { 0 }, ours = { 0 };
	struct lanes lanes;
	char text[64];
	int on = 1;

	snprintf(text, sizeof(text), row->theirs, port);
	assert_int_equal(address_parse(text, &theirs), 0);
	snprintf(text, sizeof(text), row->ours, port);
	assert_int_equal(address_parse(text, &ours), 0);
	_cleanup_close_ int fd = socket(theirs.sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (row->shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&theirs.sockaddr, theirs.length), 0);
	assert_int_equal(listen(fd, 1), 0);

	int r = lanes_open(&lanes, &ours);
	if (r != -EADDRINUSE)
		fail_msg("%s: got %d", row->says, r);
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		assert_int_equal(lanes.fds[lane], FD_NONE);
}

static void test_a_port_is_never_shared_with_a_stranger(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++)
		meet(&strangers[i]);
}

static void test_the_port_is_free_again_after_closing(void **state)
{
	struct address address = free_address("127.0.0.1:%u");
	struct lanes lanes, others;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(lanes_open(&lanes, &address), 0);
		assert_int_equal(lanes_open(&others, &address), -EADDRINUSE);
		visit_lane(&lanes, &address, 0);
		lanes_close(&lanes);
	}
	lanes_close(&lanes);
}

/* --- a kernel that does not steer --- */

static void deny_steering(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	CHECK(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setsockopt), 1,
	                       SCMP_A2(SCMP_CMP_EQ, SO_ATTACH_REUSEPORT_CBPF, 0)) == 0);
	CHECK(seccomp_load(filter) == 0);
	seccomp_release(filter);
}

static void open_unsteered(void *context)
{
	struct address address = free_address(context);
	struct lanes lanes;

	deny_steering();
	CHECK(lanes_open(&lanes, &address) == 0);
	CHECK(!lanes.steered);
	for (unsigned lane = 1; lane < LANE_COUNT; lane++)
		CHECK(lanes.fds[lane] == FD_NONE);
	visit_lane(&lanes, &address, 0);
	CHECK(lanes_refuse_new(&lanes) == 0);
	lanes_close(&lanes);
}

static void test_where_nothing_steers_there_is_one_lane(void **state)
{
	(void)state;
	in_child(open_unsteered, (void *)"127.0.0.1:%u");
}

/* --- the end: no new ones --- */

/* Ready or refused, but never accepted, and never into a queue. */
static void refuse(const char *form)
{
	struct address address = free_address(form), v4 = { 0 };
	struct lanes lanes;
	char text[64];
	int queued[LANE_COUNT];

	CHECK(lanes_open(&lanes, &address) == 0);
	for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
		CHECK(lanes_cutover(&lanes, lane) == 0);
		queued[lane] = queue_on(&lanes, &address, lane, "early");
	}
	CHECK(lanes_refuse_new(&lanes) == 0);

	int late = visit_address(&address);
	int result = outcome(late);
	CHECK(result == -EAGAIN || result == -ECONNREFUSED);
	fd_close(&late);
	if (address.any) {
		snprintf(text, sizeof(text), "127.0.0.1:%u",
		         ntohs(((struct sockaddr_in6 *)&address.sockaddr)->sin6_port));
		CHECK(address_parse(text, &v4) == 0);
		late = visit_address(&v4);
		result = outcome(late);
		CHECK(result == -EAGAIN || result == -ECONNREFUSED);
		fd_close(&late);
	}
	for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
		take_from(&lanes, lane, "early");
		close(queued[lane]);
	}
	CHECK(all_empty(&lanes));
	lanes_close(&lanes);
}

static void refuse_as_we_are(void *context)
{
	refuse(context);
}

static void refuse_without_capabilities(void *context)
{
	CHECK(caps_keep(0) == 0);
	refuse(context);
}

static void test_new_ones_are_refused_and_the_queue_is_served(void **state)
{
	(void)state;
	in_each_family(refuse_as_we_are);
}

static void test_it_needs_no_capability(void **state)
{
	(void)state;
	in_each_family(refuse_without_capabilities);
}

/* --- unix --- */

static struct address unix_address(const char *dir)
{
	struct address address = { .owner = geteuid(), .group = getegid(), .mode = 0660 };

	CHECK(address_parse(at("%s/php.sock", dir), &address) == 0);
	return address;
}

static void open_unix(char dir[SCRATCH_PATH_SIZE], struct address *address, struct lanes *lanes)
{
	scratch_dir(dir);
	*address = unix_address(dir);
	assert_int_equal(lanes_open(lanes, address), 0);
}

static void test_a_unix_cutover_renames_a_new_socket_over_the_path(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address;
	struct lanes lanes;

	(void)state;
	open_unix(dir, &address, &lanes);
	assert_true(lanes.steered);
	/* Lane 0 comes round again and gets a fresh socket then. */
	for (unsigned step = 1; step <= 2 * LANE_COUNT; step++) {
		unsigned lane = step % LANE_COUNT;
		unsigned last = (step - 1) % LANE_COUNT;
		int early = queue_on(&lanes, &address, last, "early");

		assert_int_equal(lanes_prepare(&lanes, lane), 0);
		assert_int_equal(scratch_count(dir), 2);
		assert_int_equal(lanes_cutover(&lanes, lane), 0);
		assert_int_equal(scratch_count(dir), 1);
		assert_int_equal(lanes.active, lane);

		int late = queue_on(&lanes, &address, lane, "late");
		take_from(&lanes, last, "early");
		take_from(&lanes, lane, "late");
		assert_true(all_empty(&lanes));
		close(early);
		close(late);
	}
	lanes_close(&lanes);
	assert_int_equal(scratch_count(dir), 0);
}

static void test_a_lane_that_was_prepared_in_vain_leaves_no_file(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address;
	struct lanes lanes;

	(void)state;
	open_unix(dir, &address, &lanes);
	assert_int_equal(lanes_prepare(&lanes, 1), 0);
	assert_int_equal(lanes_prepare(&lanes, 1), 0);
	assert_int_equal(scratch_count(dir), 2);
	lanes_close(&lanes);
	assert_int_equal(scratch_count(dir), 0);
}

static void test_the_active_lane_is_not_prepared_again(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address;
	struct lanes lanes;

	(void)state;
	open_unix(dir, &address, &lanes);
	assert_int_equal(lanes_prepare(&lanes, 1), 0);
	assert_int_equal(lanes_cutover(&lanes, 1), 0);
	int early = queue_on(&lanes, &address, 1, "early");
	assert_int_equal(lanes_prepare(&lanes, 1), 0);
	assert_int_equal(lanes_cutover(&lanes, 1), 0);
	take_from(&lanes, 1, "early");
	close(early);
	visit_lane(&lanes, &address, 1);
	assert_int_equal(scratch_count(dir), 1);
	lanes_close(&lanes);
}

static void test_a_kept_lane_can_be_gone_back_to(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address;
	struct lanes lanes;

	(void)state;
	open_unix(dir, &address, &lanes);
	assert_int_equal(lanes_prepare(&lanes, 1), 0);
	assert_int_equal(lanes_keep(&lanes), 0);
	assert_int_equal(lanes_cutover(&lanes, 1), 0);
	assert_int_equal(scratch_count(dir), 2);
	visit_lane(&lanes, &address, 1);

	int late = queue_on(&lanes, &address, 1, "late");
	assert_int_equal(lanes_cutover(&lanes, 0), 0);
	lanes_forget(&lanes, 1);
	int back = queue_on(&lanes, &address, 0, "back");
	take_from(&lanes, 0, "back");
	close(back);
	take_from(&lanes, 1, "late");
	close(late);
	assert_int_equal(scratch_count(dir), 1);
	lanes_close(&lanes);
	assert_int_equal(scratch_count(dir), 0);
}

static void test_we_can_reach_a_unix_lane_where_nobody_comes(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address = { 0 };
	struct lanes lanes;
	int fds[3];

	(void)state;
	open_unix(dir, &address, &lanes);
	assert_int_equal(lanes_reach(&lanes, 1, fds, 3), -ENOENT);
	assert_int_equal(lanes_prepare(&lanes, 1), 0);
	assert_int_equal(lanes_reach(&lanes, 1, fds, 3), 3);
	for (int i = 0; i < 3; i++) {
		take_from(&lanes, 1, NULL);
		close(fds[i]);
	}
	visit_lane(&lanes, &address, 0);
	lanes_close(&lanes);
}

static void test_a_forgotten_lane_cannot_be_gone_back_to(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address;
	struct lanes lanes;

	(void)state;
	open_unix(dir, &address, &lanes);
	assert_int_equal(lanes_keep(&lanes), 0);
	/* The one that serves has a name that visitors know. */
	lanes_forget(&lanes, 0);
	assert_int_equal(lanes_prepare(&lanes, 1), 0);
	assert_int_equal(lanes_keep(&lanes), 0);
	assert_int_equal(lanes_cutover(&lanes, 1), 0);
	lanes_forget(&lanes, 0);
	assert_int_equal(scratch_count(dir), 1);
	assert_int_equal(lanes_cutover(&lanes, 0), -ENOENT);
	assert_int_equal(lanes.active, 1);
	visit_lane(&lanes, &address, 1);
	lanes_close(&lanes);
	assert_int_equal(scratch_count(dir), 0);
}

static void test_a_kept_name_goes_with_the_rest(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address;
	struct lanes lanes;

	(void)state;
	open_unix(dir, &address, &lanes);
	assert_int_equal(lanes_prepare(&lanes, 1), 0);
	assert_int_equal(lanes_keep(&lanes), 0);
	assert_int_equal(lanes_cutover(&lanes, 1), 0);
	assert_int_equal(scratch_count(dir), 2);
	lanes_close(&lanes);
	assert_int_equal(scratch_count(dir), 0);
}

static void test_a_file_where_a_name_is_to_be_kept_stays(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address;
	struct lanes lanes;

	(void)state;
	open_unix(dir, &address, &lanes);
	scratch_file(at("%s/php.sock.A", dir), "somebody's");
	assert_int_equal(lanes_keep(&lanes), -EEXIST);
	assert_int_equal(unlink(at("%s/php.sock.A", dir)), 0);
	lanes_close(&lanes);
}

static void test_a_unix_socket_has_the_mode_and_owner_it_shall_have(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address = { 0 };
	struct lanes lanes;
	struct stat st;
	mode_t before = umask(077);

	(void)state;
	scratch_dir(dir);
	address = unix_address(dir);
	address.mode = 0622;
	if (geteuid() == 0)
		address.owner = address.group = NOBODY;
	assert_int_equal(lanes_open(&lanes, &address), 0);
	umask(before);
	assert_int_equal(lstat(address_path(&address), &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0622);
	assert_int_equal(st.st_uid, address.owner);
	assert_int_equal(st.st_gid, address.group);
	lanes_close(&lanes);
}

static int stranger_at(const struct address *address, int backlog)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&address->sockaddr, address->length), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void test_a_stranger_on_the_path_keeps_it(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address = { 0 };
	struct lanes lanes;

	(void)state;
	scratch_dir(dir);
	address = unix_address(dir);
	int stranger = stranger_at(&address, 0);
	assert_int_equal(lanes_open(&lanes, &address), -EADDRINUSE);
	/* Also when his queue is full: one waits already. */
	int visitor = visit_address(&address);
	int more = visit_address(&address);
	assert_int_equal(lanes_open(&lanes, &address), -EADDRINUSE);
	assert_int_equal(scratch_count(dir), 1);
	close(visitor);
	fd_close(&more);
	close(stranger);
}

static void test_a_dead_strangers_socket_is_replaced(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address = { 0 };
	struct lanes lanes;

	(void)state;
	scratch_dir(dir);
	address = unix_address(dir);
	close(stranger_at(&address, 5));
	assert_int_equal(lanes_open(&lanes, &address), 0);
	visit_lane(&lanes, &address, 0);
	lanes_close(&lanes);
	assert_int_equal(scratch_count(dir), 0);
}

static void test_a_file_in_the_way_is_not_replaced(void **state)
{
	char dir[SCRATCH_PATH_SIZE], text[8];
	struct address address = { 0 };
	struct lanes lanes;

	(void)state;
	scratch_dir(dir);
	address = unix_address(dir);
	scratch_file(address_path(&address), "mine");
	assert_int_equal(lanes_open(&lanes, &address), -EEXIST);
	assert_int_equal(read_file(address_path(&address), text, sizeof(text)), 4);
	assert_int_equal(unlink(address_path(&address)), 0);

	assert_int_equal(mkdir(address_path(&address), 0755), 0);
	assert_int_equal(lanes_open(&lanes, &address), -EEXIST);
	assert_int_equal(rmdir(address_path(&address)), 0);

	assert_int_equal(symlink("nowhere", address_path(&address)), 0);
	assert_int_equal(lanes_open(&lanes, &address), -EEXIST);
	assert_int_equal(scratch_count(dir), 1);
}

static void test_a_file_under_a_lanes_temporary_name_is_not_replaced(void **state)
{
	char dir[SCRATCH_PATH_SIZE], text[8];
	struct address address = { 0 };
	struct lanes lanes;

	(void)state;
	scratch_dir(dir);
	address = unix_address(dir);
	scratch_file(at("%s/php.sock.A", dir), "mine");
	int r = lanes_open(&lanes, &address);
	lanes_close(&lanes);
	assert_int_equal(read_file(at("%s/php.sock.A", dir), text, sizeof(text)), 4);
	assert_true(r < 0);
}

static void test_closing_leaves_a_strangers_socket_on_the_path(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address;
	struct lanes lanes;

	(void)state;
	open_unix(dir, &address, &lanes);
	assert_int_equal(unlink(address_path(&address)), 0);
	int stranger = stranger_at(&address, 5);
	lanes_close(&lanes);
	close(stranger);
	assert_int_equal(access(address_path(&address), F_OK), 0);
}

static void open_for_another(void *context)
{
	const char *dir = context;
	struct address address = { 0 };
	struct lanes lanes;

	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	address = unix_address(dir);
	address.owner = 1;
	CHECK(lanes_open(&lanes, &address) == -EPERM);
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		CHECK(lanes.fds[lane] == FD_NONE);
}

static void test_a_failure_leaves_no_file(void **state)
{
	char dir[SCRATCH_PATH_SIZE];

	(void)state;
	only_as_root();
	scratch_dir(dir);
	assert_int_equal(chmod(dir, 0777), 0);
	in_child(open_for_another, dir);
	assert_int_equal(scratch_count(dir), 0);
}

static void test_a_path_without_room_for_the_temporary_name_is_refused(void **state)
{
	struct address address = { .mode = 0600 };
	struct lanes lanes;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

	(void)state;
	memset(path, 'x', sizeof(path));
	memcpy(path, scratch_root, strlen(scratch_root));
	path[strlen(scratch_root)] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(address_parse(path, &address), 0);
	assert_int_equal(lanes_open(&lanes, &address), -ENAMETOOLONG);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_refusing_takes_the_path_away_and_serves_the_queue(void **state)
{
	char dir[SCRATCH_PATH_SIZE];
	struct address address;
	struct lanes lanes;

	(void)state;
	open_unix(dir, &address, &lanes);
	int early = queue_on(&lanes, &address, 0, "early");
	assert_int_equal(lanes_prepare(&lanes, 1), 0);
	assert_int_equal(lanes_refuse_new(&lanes), 0);
	assert_int_equal(visit_address(&address), -ENOENT);
	assert_int_equal(scratch_count(dir), 0);
	take_from(&lanes, 0, "early");
	close(early);
	lanes_close(&lanes);
}

static void test_an_empty_value_can_be_closed(void **state)
{
	struct lanes lanes;

	(void)state;
	lanes_init(&lanes);
	assert_false(lane_has_queue(&lanes, 0));
	lanes_close(&lanes);
	lanes_close(&lanes);
	assert_int_equal(lane_letter(0), 'A');
	assert_int_equal(lane_letter(LANE_COUNT - 1), 'A' + LANE_COUNT - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_connection_goes_to_the_wanted_lane),
		TEST(test_who_is_queued_stays_through_a_cutover),
		TEST(test_a_cutover_leads_back),
		TEST(test_we_can_reach_a_lane_where_nobody_comes),
		TEST(test_we_can_reach_a_unix_lane_where_nobody_comes),
		TEST(test_a_bare_port_takes_both_families),
		TEST(test_a_connection_cannot_become_a_listener_of_the_port),
		TEST(test_lanes_that_are_shut_down_lead_nobody_astray),
		TEST(test_without_another_lane_nobody_is_led_anywhere),
		TEST(test_a_unix_lane_that_was_shut_down_gets_another_socket),
		TEST(test_the_gate_is_tried_where_ipv6_has_no_loopback),
		TEST(test_a_gate_that_cannot_be_tried_is_not_relied_on),
		TEST(test_any_ipv6_leaves_ipv4_to_others),
		TEST(test_a_port_is_never_shared_with_a_stranger),
		TEST(test_the_port_is_free_again_after_closing),
		TEST(test_where_nothing_steers_there_is_one_lane),
		TEST(test_new_ones_are_refused_and_the_queue_is_served),
		TEST(test_it_needs_no_capability),
		TEST(test_a_unix_cutover_renames_a_new_socket_over_the_path),
		TEST(test_a_lane_that_was_prepared_in_vain_leaves_no_file),
		TEST(test_the_active_lane_is_not_prepared_again),
		TEST(test_a_kept_lane_can_be_gone_back_to),
		TEST(test_a_forgotten_lane_cannot_be_gone_back_to),
		TEST(test_a_kept_name_goes_with_the_rest),
		TEST(test_a_file_where_a_name_is_to_be_kept_stays),
		TEST(test_a_unix_socket_has_the_mode_and_owner_it_shall_have),
		TEST(test_a_stranger_on_the_path_keeps_it),
		TEST(test_a_dead_strangers_socket_is_replaced),
		TEST(test_a_file_in_the_way_is_not_replaced),
		TEST(test_a_file_under_a_lanes_temporary_name_is_not_replaced),
		TEST(test_closing_leaves_a_strangers_socket_on_the_path),
		TEST(test_a_failure_leaves_no_file),
		TEST(test_a_path_without_room_for_the_temporary_name_is_refused),
		TEST(test_refusing_takes_the_path_away_and_serves_the_queue),
		TEST(test_an_empty_value_can_be_closed),
	};

	return cmocka_run_group_tests_name("listen/lane", tests, scratch_begin, scratch_end);
}
