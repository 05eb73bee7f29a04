#include "init/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fpm/deaths.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

enum {
	AGAIN_MS = 100,
	FINISH_MS = 5000,
	DEATHS_MAX = 64, /* that are told: the first few say it all */
};

void relay_init(struct relay *relay)
{
	*relay = (struct relay){ .helper.source.fd = FD_NONE, .from = FD_NONE, .to = FD_NONE };
}

/* A terminal may take a part. */
static void write_all(const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDERR_FILENO, bytes, size);

		if (n < 0)
			_exit(EXIT_FAILURE);
		bytes += n;
		size -= (size_t)n;
	}
}

static void copy_to_stderr(const void *query, int answer_fd)
{
	const int *from = query;
	char buffer[4096]; /* PIPE_BUF: lines of several writers do not mix */
	struct deaths deaths = { 0 };
	unsigned told = 0;
	ssize_t n;

	while ((n = read(*from, buffer, sizeof(buffer))) > 0) {
		write_all(buffer, (size_t)n);
		unsigned more = deaths_feed(&deaths, buffer, (size_t)n);
		if (more > 0 && told < DEATHS_MAX) {
			helper_answer(answer_fd, &more, sizeof(more));
			told++;
		}
	}
}

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	const unsigned *deaths = data;

	if (size == sizeof(*deaths))
		container_of(helper, struct relay, helper)->deaths += *deaths;
}

static int start(struct relay *relay);

/* The pipe keeps what comes meanwhile. */
static void on_next(struct deadline *deadline)
{
	struct relay *relay = container_of(deadline, struct relay, next);

	if (relay->to == FD_NONE) { /* somebody who is not a master holds the pipe open */
		helper_stop(&relay->helper);
		fd_close(&relay->from);
		return;
	}
	int r = start(relay);
	if (r < 0) {
		log_errno(r, NOTICE_HELPER_FAILED, "", "cannot copy FPM's log lines, trying again");
		deadline_arm(relay->loop, deadline, AGAIN_MS);
	}
}

static void on_end(struct helper *helper)
{
	struct relay *relay = container_of(helper, struct relay, helper);

	if (relay->to == FD_NONE) {
		deadline_disarm(relay->loop, &relay->next);
		fd_close(&relay->from);
		return;
	}
	log_write(NOTICE_HELPER_DIED, "",
	          "the helper that copies FPM's log lines ended, starting another");
	deadline_arm(relay->loop, &relay->next, AGAIN_MS);
}

static int start(struct relay *relay)
{
	struct question question = {
		.run = copy_to_stderr,
		.query = &relay->from,
		.power = POWER_COPY,
		.keep = { relay->from },
		.keep_count = 1,
	};

	relay->helper.on_answer = on_answer;
	relay->helper.on_end = on_end;
	return helper_start(&relay->helper, relay->loop, relay->inheritance, &question);
}

int relay_open(struct relay *relay, struct loop *loop, const struct inheritance *inheritance)
{
	int ends[2];
	int r;

	relay_init(relay);
	relay->loop = loop;
	relay->inheritance = inheritance;
	relay->next.on_due = on_next;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	relay->from = ends[0];
	relay->to = ends[1];
	r = fchmod(relay->to, RELAY_PIPE_MODE) < 0 ? -errno : start(relay);
	if (r < 0) {
		fd_close(&relay->from);
		fd_close(&relay->to);
	}
	return r;
}

void relay_finish(struct relay *relay)
{
	if (relay->to == FD_NONE)
		return;
	fd_close(&relay->to);
	deadline_arm(relay->loop, &relay->next, FINISH_MS);
	if (!helper_running(&relay->helper))
		on_end(&relay->helper);
}

bool relay_runs(const struct relay *relay)
{
	return relay->from != FD_NONE;
}

void relay_flush(struct relay *relay, uint64_t until_ms)
{
	uint64_t now = clock_ms();
	struct pollfd helper = { .fd = relay->helper.source.fd, .events = POLLIN };

	/* Ours was the last writing end, so the helper ends when it has copied all. */
	fd_close(&relay->to);
	if (helper_running(&relay->helper))
		(void)poll(&helper, 1, until_ms > now ? (int)(until_ms - now) : 0);
	helper_stop(&relay->helper);
	fd_close(&relay->from);
}
