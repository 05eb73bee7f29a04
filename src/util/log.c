#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "util/text.h"

enum { LINE_SIZE = 2048 }; /* below PIPE_BUF, so that lines of several writers never mix */

static struct {
	int fd;
	unsigned dropped;
} journal = { .fd = STDERR_FILENO };

void log_open(void)
{
	int fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		journal.fd = fd;
}

static bool writable(void)
{
	struct pollfd p = { .fd = journal.fd, .events = POLLOUT };

	return journal.fd != STDERR_FILENO || (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT));
}

static bool put(const struct text *line)
{
	return writable() && write(journal.fd, line->buffer, line->length) == (ssize_t)line->length;
}

static bool put_dropped(void)
{
	char buffer[80];
	struct text line = TEXT(buffer);

	if (journal.dropped == 0)
		return true;
	text_add(&line, "twinit: warning: %u log lines dropped, their reader is slow\n",
	         journal.dropped);
	if (!put(&line))
		return false;
	journal.dropped = 0;
	return true;
}

static void write_line(enum log_level level, int error, const char *format, va_list args)
{
	static const char *const words[] = {
		[LOG_ERROR] = "error: ", [LOG_WARNING] = "warning: ", [LOG_INFO] = ""
	};
	int saved = errno;
	char buffer[LINE_SIZE];
	struct text line = text_init(buffer, sizeof(buffer) - 1); /* room for the newline */

	text_add(&line, "twinit: %s", words[level]);
	text_vadd(&line, format, args);
	if (error < 0)
		text_add(&line, ": %s", strerror(-error));
	for (size_t i = 0; i < line.length; i++)
		if (buffer[i] == '\n')
			buffer[i] = ' ';
	buffer[line.length++] = '\n';
	if (!put_dropped() || !put(&line))
		journal.dropped++;
	errno = saved;
}

void log_write(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(level, 0, format, args);
	va_end(args);
}

int log_errno(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(LOG_ERROR, error, format, args);
	va_end(args);
	return error;
}
