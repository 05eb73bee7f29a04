#include "listen/lane.h"

#include <poll.h>

#include "listen/tcp_lanes.h"
#include "listen/unix_lanes.h"
#include "util/cleanup.h"

void lanes_init(struct lanes *lanes)
{
	*lanes = (struct lanes){ .gate = FD_NONE };
	for (unsigned i = 0; i < LANE_COUNT; i++)
		lanes->fds[i] = FD_NONE;
}

int lanes_open(struct lanes *lanes, const struct address *address)
{
	int r;

	lanes_init(lanes);
	lanes->address = *address;
	r = address_is_unix(address) ? unix_lanes_open(lanes) : tcp_lanes_open(lanes);
	if (r < 0)
		lanes_close(lanes);
	return r;
}

void lanes_close(struct lanes *lanes)
{
	if (address_is_unix(&lanes->address))
		unix_lanes_unpublish(lanes);
	fd_close(&lanes->gate);
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		fd_close(&lanes->fds[lane]);
}

int lanes_prepare(struct lanes *lanes, unsigned lane)
{
	int r;

	if (!address_is_unix(&lanes->address))
		return 0;
	/* It has its name, and perhaps visitors: the move of all addresses to it failed half-way.
	 */
	if (lane == lanes->active && !lanes->lost[lane])
		return 0;
	r = unix_lanes_prepare(lanes, lane);
	if (r >= 0)
		lanes->lost[lane] = false; /* it has another socket */
	return r;
}

int lanes_lose(struct lanes *lanes, unsigned lane, unsigned other)
{
	lanes->lost[lane] = true;
	return address_is_unix(&lanes->address) ? 0 : tcp_lanes_lose(lanes, lane, other);
}

bool lanes_usable(const struct lanes *lanes, unsigned lane)
{
	/* A unix lane gets another socket before it is built on. */
	return address_is_unix(&lanes->address) || !lanes->lost[lane];
}

int lanes_reach(struct lanes *lanes, unsigned lane, int fds[], unsigned count)
{
	return address_is_unix(&lanes->address) ? unix_lanes_reach(lanes, lane, fds, count)
	                                        : tcp_lanes_reach(lanes, lane, fds, count);
}

int lanes_keep(struct lanes *lanes)
{
	return address_is_unix(&lanes->address) ? unix_lanes_keep(lanes) : 0;
}

void lanes_forget(struct lanes *lanes, unsigned lane)
{
	if (address_is_unix(&lanes->address))
		unix_lanes_forget(lanes, lane);
}

int lanes_cutover(struct lanes *lanes, unsigned lane)
{
	int r;

	if (lane == lanes->active)
		return 0;
	r = address_is_unix(&lanes->address) ? unix_lanes_cutover(lanes, lane)
	                                     : tcp_lanes_cutover(lanes, lane);
	if (r >= 0)
		lanes->active = lane;
	return r;
}

int lanes_refuse_new(struct lanes *lanes)
{
	if (!address_is_unix(&lanes->address))
		return tcp_lanes_refuse_new(lanes);
	unix_lanes_unpublish(lanes);
	return 0;
}

static int events_of(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };

	return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

bool listener_is_shut(int fd)
{
	return events_of(fd) & (POLLHUP | POLLRDHUP);
}

bool listener_has_queue(int fd)
{
	/* One that was shut down is readable for ever. */
	return (events_of(fd) & (POLLIN | POLLHUP | POLLRDHUP)) == POLLIN;
}

bool lane_has_queue(const struct lanes *lanes, unsigned lane)
{
	return lanes->fds[lane] >= 0 && listener_has_queue(lanes->fds[lane]);
}

char lane_letter(unsigned lane)
{
	return (char)('A' + lane);
}
