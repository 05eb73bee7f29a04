#include "question/vigil.h"

#include <time.h>

#include "process/helper.h"
#include "question/page.h"
#include "util/clock.h"

static bool is_well(const struct vigil_query *query, unsigned i, struct text *why)
{
	struct page_answer answer;
	int r = page_ask(query->private_fd, query->sockets[i], query->root, query->health,
	                 clock_ms() + query->patience_ms, &answer);

	if (r >= 0 && page_is_well(&answer))
		return true;
	text_add(why, "replica %u is not healthy: ", query->numbers[i]);
	page_explain(query->health, r, &answer, why);
	return false;
}

void vigil_run(const void *query, int answer_fd)
{
	const struct vigil_query *q = query;
	const struct timespec pause = {
		.tv_sec = q->every_ms / 1000,
		.tv_nsec = (long)(q->every_ms % 1000) * 1000 * 1000,
	};
	struct vigil_answer answer = { .why = "" };
	struct text why = TEXT(answer.why);
	bool well = true;

	while (well) {
		(void)nanosleep(&pause, NULL);
		for (unsigned i = 0; well && i < q->count; i++)
			well = is_well(q, i, &why);
	}
	helper_answer(answer_fd, &answer, sizeof(answer));
}
