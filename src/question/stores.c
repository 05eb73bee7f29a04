#include "question/stores.h"

#include <sys/mman.h>
#include <unistd.h>

#include "process/helper.h"
#include "session/finding_file.h"
#include "util/cleanup.h"

static struct session_source sources[SESSION_SOURCES_MAX];

static struct store_query query_of(const struct stores_query *q)
{
	ssize_t n = pread(q->sources_fd, sources, sizeof(sources), 0);

	return (struct store_query){
		.sources = sources,
		.count = n < 0 ? 0 : (unsigned)((size_t)n / sizeof(sources[0])),
		.timeout_ms = q->timeout_ms,
		.total_ms = q->total_ms,
		.membership = q->membership,
		.release = q->release,
	};
}

void stores_run(const void *query, int answer_fd)
{
	static struct findings findings;
	const struct store_query asked = query_of(query);
	struct store_report report;
	_cleanup_close_ int fd = memfd_create("twinit-findings", MFD_CLOEXEC);

	store_ask(&asked, &findings, &report);
	if (fd >= 0 && finding_file_write(fd, &findings) < 0)
		fd_close(&fd);
	helper_answer_with_fd(answer_fd, &report, sizeof(report), fd);
}

void stores_leave(const void *query, int answer_fd)
{
	const struct store_query asked = query_of(query);

	(void)answer_fd;
	store_leave(&asked);
}
