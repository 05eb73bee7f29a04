#include "question/prime.h"

#include <stdbool.h>

#include "process/helper.h"
#include "question/page.h"
#include "util/clock.h"

/*
 * PHP gives back the memory of a request that needs more than those before it did on average
 * (zend_alloc.c); after three times the same it keeps all, and nobody pays page faults for it.
 */
enum { PASSES = 3 };

static bool run_pages(const struct prime_query *query, int fd, uint64_t until_ms)
{
	const char *list = query->warm;
	char page[CONFIG_LIST_SIZE];

	for (unsigned number = 0; page_next(&list, page, sizeof(page)) > 0 && number < 64; number++)
		if ((query->warm_set & UINT64_C(1) << number) &&
		    page_run(fd, query->root, page, until_ms) < 0)
			return false;
	return true;
}

static bool prime(const struct prime_query *query, int fd, uint64_t until_ms)
{
	for (int pass = 0; pass < PASSES; pass++)
		if (!run_pages(query, fd, until_ms))
			return false;
	return true;
}

/* One worker after the other: visitors are being served on the same processors. */
void prime_run(const void *query, int answer_fd)
{
	const struct prime_query *q = query;
	uint64_t until_ms = clock_ms() + q->timeout_ms;
	struct prime_answer answer = { 0 };

	for (unsigned i = 0; i < q->count && clock_ms() < until_ms; i++)
		answer.primed += prime(q, q->fds[i], until_ms);
	helper_answer(answer_fd, &answer, sizeof(answer));
}
