#include "loop/loop.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>

#include "util/cleanup.h"
#include "util/clock.h"

int loop_init(struct loop *loop)
{
	*loop = (struct loop){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	return loop->epoll_fd < 0 ? -errno : 0;
}

void loop_done(struct loop *loop)
{
	fd_close(&loop->epoll_fd);
}

static int watch(struct loop *loop, struct event_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0)
		return -errno;
	source->watched = true;
	return 0;
}

int loop_watch(struct loop *loop, struct event_source *source)
{
	return watch(loop, source, EPOLLIN);
}

int loop_watch_shut(struct loop *loop, struct event_source *source)
{
	return watch(loop, source, EPOLLRDHUP); /* EPOLLHUP needs no asking */
}

void loop_forget(struct loop *loop, struct event_source *source)
{
	if (source->watched)
		(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->watched = false;
}

void deadline_disarm(struct loop *loop, struct deadline *deadline)
{
	if (deadline->at_ms == 0)
		return;
	for (struct deadline **at = &loop->deadlines; *at; at = &(*at)->next)
		if (*at == deadline) {
			*at = deadline->next;
			break;
		}
	deadline->at_ms = 0;
	deadline->next = NULL;
}

void deadline_arm(struct loop *loop, struct deadline *deadline, uint64_t in_ms)
{
	deadline_disarm(loop, deadline);
	deadline->at_ms = clock_ms() + in_ms;
	deadline->next = loop->deadlines;
	loop->deadlines = deadline;
}

/* How long epoll may wait for the nearest deadline. */
static int patience(const struct loop *loop)
{
	uint64_t now = clock_ms();
	uint64_t nearest = UINT64_MAX;

	for (const struct deadline *d = loop->deadlines; d; d = d->next)
		if (d->at_ms < nearest)
			nearest = d->at_ms;
	if (nearest == UINT64_MAX)
		return -1;
	if (nearest <= now)
		return 0;
	return nearest - now > INT_MAX ? INT_MAX : (int)(nearest - now);
}

/* A callback may arm and disarm anything, so look from the start again after each one. */
static void run_due(struct loop *loop)
{
	uint64_t now = clock_ms();

	for (struct deadline *d = loop->deadlines; d;) {
		if (d->at_ms > now) {
			d = d->next;
			continue;
		}
		deadline_disarm(loop, d);
		d->on_due(d);
		d = loop->deadlines;
	}
}

int loop_turn(struct loop *loop)
{
	struct epoll_event events[32];
	int n = epoll_wait(loop->epoll_fd, events, ARRAY_SIZE(events), patience(loop));

	if (n < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < n; i++) {
		struct event_source *source = events[i].data.ptr;

		/* An earlier callback of this turn may have forgotten it. */
		if (source->watched)
			source->on_ready(source);
	}
	run_due(loop);
	return 0;
}
