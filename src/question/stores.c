#include "question/stores.h"

#include <unistd.h>

#include "process/helper.h"
#include "session/store.h"

void stores_run(const void *query, int answer_fd)
{
	static struct session_source sources[SESSION_SOURCES_MAX];
	const struct stores_query *q = query;
	struct store_report report;
	ssize_t n = pread(q->sources_fd, sources, sizeof(sources), 0);

	store_ask(sources, n < 0 ? 0 : (unsigned)((size_t)n / sizeof(sources[0])), q->timeout_ms,
	          &report);
	helper_answer(answer_fd, &report, sizeof(report));
}
