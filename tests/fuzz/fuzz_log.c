/*
 * Any text as what happened: it becomes one line without control characters, or one JSON object
 * that holds it; a reader who takes nothing for a while is told how much was left out.
 */
#include <jansson.h>

#include "fuzz.h"

/* Its own copy of the log, which can be begun anew. */
#include "util/log.c"

enum { APP_SIZE = 64, TEXT_MAX = 8192, READER_STOPS = 1, AS_JSON = 2, WITH_ERROR = 4 };

static char line[LINE_SIZE + 1];
static size_t line_size;
static bool deaf;    /* the reader takes nothing */
static bool watched; /* what goes to stderr is the log's, not the fuzzer's */

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
	if (!watched || fd != journal.fd)
		return __real_write(fd, bytes, size);
	assert(!deaf && size <= LINE_SIZE);
	memcpy(line, bytes, size);
	line[size] = '\0';
	line_size = size;
	return (ssize_t)size;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	if (!watched || fds->fd != journal.fd)
		return __real_poll(fds, count, timeout_ms);
	assert(count == 1 && timeout_ms == 0);
	fds->revents = POLLOUT;
	return !deaf;
}

static void check_line(void)
{
	assert(line_size > 1 && strlen(line) == line_size && line[line_size - 1] == '\n');
	for (size_t i = 0; i + 1 < line_size; i++)
		assert((unsigned char)line[i] >= ' ' && line[i] != 0x7f);
}

/* The beginning of @text, with '?' in the place of bytes that are no UTF-8. */
static bool is_of(const char *said, const char *text)
{
	for (; *said; said++, text++)
		if (*said != *text && (*said != '?' || !(*text & 0x80)))
			return false;
	return true;
}

static void check_json(const char *app, const char *text)
{
	json_error_t error;
	json_t *object = json_loads(line, 0, &error);
	const char *said = json_string_value(json_object_get(object, "text"));
	const char *about = json_string_value(json_object_get(object, "app"));

	assert(object && said);
	assert(is_of(said, text) && (app[0] ? about && is_of(about, app) : !about));
	assert(strlen(said) == strlen(text) || line_size > LINE_SIZE - 2 * JSON_END_SIZE);
	json_decref(object);
}

static void check_event(enum log_level level, const char *app, const char *text)
{
	log_event(level, "event", app, text);
	check_line();
	if (journal.json)
		check_json(app, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char app[APP_SIZE], text[TEXT_MAX];
	struct input input = input_of(data, size);
	uint8_t how = input_byte(&input);

	struct input name = input_until(&input, 0xff);

	input_text(&name, app, sizeof(app));
	input_text(&input, text, sizeof(text));
	journal.fd = STDERR_FILENO;
	journal.json = false;
	journal.dropped = 0;
	watched = true;
	if (how & AS_JSON)
		log_use_json();
	deaf = how & READER_STOPS;
	if (deaf)
		log_write(NOTICE_STARTED, "", "%s", text);
	assert(journal.dropped == deaf);
	deaf = false;
	if (how & WITH_ERROR)
		assert(log_errno(-ENOENT, NOTICE_LINK_STUCK, app, "%s", text) == -ENOENT);
	check_event(how / 64 % (LOG_INFO + 1), app, text);
	assert(journal.dropped == 0);
	watched = false;
	return 0;
}
