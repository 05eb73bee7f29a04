#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/date.h"
#include "util/text.h"

enum {
	MESSAGE_SIZE = 2560,
	JSON_END_SIZE = 16, /* an escaped byte and what closes the object */
	LINE_SIZE = 4096,   /* PIPE_BUF: lines of several writers never mix */
};

static struct {
	int fd;
	bool json;
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

/* --- a line --- */

static const char *const level_words[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
};

const char *log_level_name(enum log_level level)
{
	return level_words[level];
}

/* @length: 0 for a byte that is no UTF-8, as which no reader takes an object. */
static void add_json_character(struct text *line, const char *character, size_t length)
{
	unsigned char byte = (unsigned char)*character;

	if (length == 0)
		text_add(line, "?");
	else if (byte == '"' || byte == '\\')
		text_add(line, "\\%c", byte);
	else if (text_is_control(character))
		text_add(line, "\\u%04x", length == 2 ? (unsigned char)character[1] : byte);
	else
		text_add(line, "%.*s", (int)length, character);
}

static void add_json_string(struct text *line, const char *key, const char *value)
{
	text_add(line, "\"%s\":\"", key);
	while (*value) {
		size_t length = text_character(value);

		/* Whatever must be left out, the object stays one. */
		if (line->size - line->length < JSON_END_SIZE)
			break;
		add_json_character(line, value, length);
		value += length > 0 ? length : 1;
	}
	text_add(line, "\"");
}

static void add_json(struct text *line, enum log_level level, const char *name, const char *app,
                     const char *message)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	text_add(line, "{\"time\":\"");
	date_add(line, (uint64_t)now.tv_sec);
	text_add(line, ".%03ldZ\",", now.tv_nsec / 1000000);
	add_json_string(line, "level", level_words[level]);
	text_add(line, ",");
	add_json_string(line, "event", name);
	text_add(line, ",");
	if (*app) {
		add_json_string(line, "app", app);
		text_add(line, ",");
	}
	add_json_string(line, "text", message);
	text_add(line, "}");
}

/* One line, and nothing that a terminal would obey. */
static void add_plain(struct text *line, enum log_level level, const char *message)
{
	size_t begin = line->length;

	text_add(line, "twinit: %s%s%s", level == LOG_INFO ? "" : level_words[level],
	         level == LOG_INFO ? "" : ": ", message);
	for (char *c = line->buffer + begin; *c; c++)
		if (*c == '\n')
			*c = ' ';
	text_tame(line->buffer + begin, line->size - begin);
}

static bool put_event(enum log_level level, const char *name, const char *app, const char *message)
{
	char buffer[LINE_SIZE];
	struct text line = text_init(buffer, sizeof(buffer) - 1); /* room for the newline */

	if (journal.json)
		add_json(&line, level, name, app, message);
	else
		add_plain(&line, level, message);
	buffer[line.length++] = '\n';
	return put(&line);
}

static bool put_dropped(void)
{
	char buffer[80];
	struct text text = TEXT(buffer);

	if (journal.dropped == 0)
		return true;
	text_add(&text, "%u log lines dropped, their reader is slow", journal.dropped);
	if (!put_event(notice_level(NOTICE_LOG_DROPPED), notice_name(NOTICE_LOG_DROPPED), "",
	               buffer))
		return false;
	journal.dropped = 0;
	return true;
}

void log_event(enum log_level level, const char *name, const char *app, const char *text)
{
	int saved = errno;

	if (!put_dropped() || !put_event(level, name, app, text))
		journal.dropped++;
	errno = saved;
}

static void write_message(enum notice notice, const char *app, int error, const char *format,
                          va_list args)
{
	char buffer[MESSAGE_SIZE];
	struct text message = TEXT(buffer);

	if (*app)
		text_add(&message, "%s: ", app);
	text_vadd(&message, format, args);
	if (error < 0)
		text_add(&message, ": %s", strerror(-error));
	log_event(notice_level(notice), notice_name(notice), app, buffer);
}

void log_use_json(void)
{
	journal.json = true;
}

void log_write(enum notice notice, const char *app, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_message(notice, app, 0, format, args);
	va_end(args);
}

int log_errno(int error, enum notice notice, const char *app, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_message(notice, app, error, format, args);
	va_end(args);
	return error;
}
