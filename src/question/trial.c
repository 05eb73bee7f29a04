#include "question/trial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fpm/overlay.h"
#include "process/helper.h"
#include "question/fcgi_client.h"
#include "question/page.h"
#include "util/clock.h"
#include "util/text.h"

enum { AGAIN_MS = 250 };

/* What we lack ourselves says nothing about the master: who asked has it tried again. */
static void look_at_ourselves(int error)
{
	if (error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM)
		_exit(EXIT_FAILURE);
}

/*
 * The socket was listening before the master was started, so there is nothing to poll for: the
 * connection waits in its queue, and the answer comes as soon as FPM is there.
 */
static bool pool_answers(const struct trial_query *query, unsigned pool, uint64_t until_ms,
                         struct text *why)
{
	static const struct fcgi_request ping = {
		.file = OVERLAY_PING_PATH,
		.name = OVERLAY_PING_PATH,
		.uri = OVERLAY_PING_PATH,
	};
	char out[1024], err[256];
	struct fastcgi_reply reply;
	const char *body;
	size_t body_size;
	int status;

	fastcgi_reply_init(&reply, out, sizeof(out), err, sizeof(err));
	int r = fcgi_ask(query->private_fd, query->probes[pool], &ping, until_ms, &reply);
	look_at_ourselves(r);
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

static void explain_health(const struct trial_query *query, int result,
                           const struct page_answer *page, struct text *why)
{
	text_add(why, "is not healthy: ");
	page_explain(query->health, result, page, why);
}

static bool is_healthy(const struct trial_query *query, uint64_t until_ms,
                       struct trial_answer *answer)
{
	const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000 * 1000 };
	struct text why = TEXT(answer->why);
	struct page_answer page;

	if (query->health[0] == '\0')
		return true;
	for (;;) {
		int r = page_ask(query->private_fd, query->pages, query->root, query->health,
		                 until_ms, &page);

		look_at_ourselves(r);
		answer->health = page.status;
		if (r >= 0 && page_is_well(&page))
			return true;
		if (!query->patient || clock_ms() + AGAIN_MS >= until_ms) {
			explain_health(query, r, &page, &why);
			return false;
		}
		(void)nanosleep(&pause, NULL);
	}
}

static void warm_up(const struct trial_query *query, const char *name, uint64_t until_ms,
                    struct trial_answer *answer)
{
	struct page_answer page;
	int r = page_ask(query->private_fd, query->pages, query->root, name, until_ms, &page);
	unsigned number = answer->to_warm++;

	/* A page that sends visitors elsewhere has been compiled too. */
	if (r >= 0 && page.status >= 200 && page.status < 400) {
		answer->warmed++;
		if (number < 64)
			answer->warm_set |= UINT64_C(1) << number;
	} else if (answer->warm_why[0] == '\0') {
		struct text why = TEXT(answer->warm_why);

		page_explain(name, r, &page, &why);
	}
}

static void warm_up_all(const struct trial_query *query, uint64_t until_ms,
                        struct trial_answer *answer)
{
	const char *list = query->warm;
	char name[CONFIG_LIST_SIZE];

	while (page_next(&list, name, sizeof(name)) > 0)
		warm_up(query, name, until_ms, answer);
}

void trial_run(const void *query, int answer_fd)
{
	const struct trial_query *q = query;
	uint64_t until_ms = clock_ms() + q->timeout_ms;
	struct trial_answer answer = { .ready = true };
	struct text why = TEXT(answer.why);

	for (unsigned pool = 0; answer.ready && pool < q->count; pool++)
		answer.ready = pool_answers(q, pool, until_ms, &why);
	if (answer.ready)
		answer.ready = is_healthy(q, until_ms, &answer);
	if (answer.ready)
		warm_up_all(q, until_ms, &answer);
	helper_answer(answer_fd, &answer, sizeof(answer));
}
