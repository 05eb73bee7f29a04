#include "question/ping.h"

#include <errno.h>
#include <string.h>

#include "fpm/overlay.h"
#include "process/helper.h"
#include "question/fcgi_client.h"
#include "util/clock.h"
#include "util/text.h"

/*
 * The socket was listening before the master was started, so there is nothing to poll for: the
 * connection waits in its queue, and the answer comes as soon as FPM is there.
 */
static bool pool_answers(const struct ping_query *query, unsigned pool, uint64_t until_ms,
                         struct text *why)
{
	char out[1024], err[256];
	struct fastcgi_reply reply;
	const char *body;
	size_t body_size;
	int status;

	fastcgi_reply_init(&reply, out, sizeof(out), err, sizeof(err));
	int r = fcgi_ask(query->private_fd, query->probes[pool], OVERLAY_PING_PATH, "", NULL,
	                 until_ms, &reply);
	if (r < 0) {
		text_add(why, "%s",
		         r == -ETIMEDOUT ? "was not ready within start_timeout"
		                         : "did not answer its ping");
		return false;
	}
	if (fastcgi_reply_head(&reply, &status, &body, &body_size) < 0 || status != 200 ||
	    body_size < 4 || memcmp(body, "pong", 4) != 0) {
		text_add(why, "answered its ping with something else than pong");
		return false;
	}
	return true;
}

void ping_run(const void *query, int answer_fd)
{
	const struct ping_query *q = query;
	uint64_t until_ms = clock_ms() + q->timeout_ms;
	struct ping_answer answer = { .ready = true };
	struct text why = TEXT(answer.why);

	for (unsigned pool = 0; answer.ready && pool < q->count; pool++)
		answer.ready = pool_answers(q, pool, until_ms, &why);
	helper_answer(answer_fd, &answer, sizeof(answer));
}
