#include "question/prime.h"

#include <stdbool.h>

#include "process/helper.h"
#include "question/page.h"
#include "util/clock.h"

static bool prime(const struct prime_query *query, int fd, uint64_t until_ms)
{
	const char *list = query->warm;
	char page[CONFIG_LIST_SIZE];

	for (unsigned number = 0; page_next(&list, page, sizeof(page)) > 0 && number < 64; number++)
		if ((query->warm_set & UINT64_C(1) << number) &&
		    page_run(fd, query->root, page, until_ms) < 0)
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
