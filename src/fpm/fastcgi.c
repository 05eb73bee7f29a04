#include "fpm/fastcgi.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
	FCGI_VERSION = 1,
	FCGI_BEGIN_REQUEST = 1,
	FCGI_END_REQUEST = 3,
	FCGI_PARAMS = 4,
	FCGI_STDIN = 5,
	FCGI_STDOUT = 6,
	FCGI_STDERR = 7,
	FCGI_RESPONDER = 1,
	FCGI_KEEP_CONN = 1,
	FCGI_END_BODY_SIZE = 8,
	REQUEST_ID = 1,
	SHORT_LENGTH_MAX = 127,
};

struct writer {
	uint8_t *to;
	size_t size;
	size_t length;
	bool full;
};

static void put(struct writer *writer, const void *data, size_t size)
{
	if (size > writer->size - writer->length)
		writer->full = true;
	if (writer->full || size == 0)
		return;
	memcpy(writer->to + writer->length, data, size);
	writer->length += size;
}

static void put_header(struct writer *writer, uint8_t type, size_t content)
{
	const uint8_t header[FASTCGI_HEAD_SIZE] = {
		FCGI_VERSION, type, 0, REQUEST_ID, (uint8_t)(content >> 8), (uint8_t)content, 0, 0,
	};

	put(writer, header, sizeof(header));
}

/* A stream is cut into records and ended by an empty one. */
static void put_stream(struct writer *writer, uint8_t type, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size > 0) {
		size_t content = size < FASTCGI_CONTENT_MAX ? size : FASTCGI_CONTENT_MAX;

		put_header(writer, type, content);
		put(writer, at, content);
		at += content;
		size -= content;
	}
	put_header(writer, type, 0);
}

static void put_length(struct writer *writer, size_t length)
{
	const uint8_t bytes[4] = {
		(uint8_t)(length >> 24 | 0x80),
		(uint8_t)(length >> 16),
		(uint8_t)(length >> 8),
		(uint8_t)length,
	};

	if (length <= SHORT_LENGTH_MAX)
		put(writer, &bytes[3], 1);
	else
		put(writer, bytes, sizeof(bytes));
}

static void put_param(struct writer *writer, const struct fastcgi_param *param)
{
	put_length(writer, strlen(param->name));
	put_length(writer, strlen(param->value));
	put(writer, param->name, strlen(param->name));
	put(writer, param->value, strlen(param->value));
}

/* All in one record: PHP reads each by itself, so that a param must not be cut in two. */
static void put_params(struct writer *writer, const struct fastcgi_param *params, size_t count)
{
	size_t start = writer->length;

	put_header(writer, FCGI_PARAMS, 0);
	for (size_t i = 0; i < count; i++)
		put_param(writer, &params[i]);
	if (writer->full)
		return;

	size_t content = writer->length - start - FASTCGI_HEAD_SIZE;
	if (content > FASTCGI_CONTENT_MAX) {
		writer->full = true;
		return;
	}
	writer->to[start + 4] = (uint8_t)(content >> 8);
	writer->to[start + 5] = (uint8_t)content;
	if (content > 0)
		put_header(writer, FCGI_PARAMS, 0);
}

static void put_begin(struct writer *writer, const struct fastcgi_param *params, size_t count,
                      bool keep_open)
{
	const uint8_t begin[8] = { 0, FCGI_RESPONDER, keep_open ? FCGI_KEEP_CONN : 0 };

	put_header(writer, FCGI_BEGIN_REQUEST, sizeof(begin));
	put(writer, begin, sizeof(begin));
	put_params(writer, params, count);
}

long fastcgi_begin(const struct fastcgi_param *params, size_t count, bool keep_open, uint8_t *to,
                   size_t size)
{
	struct writer writer = { .to = to, .size = size };

	put_begin(&writer, params, count, keep_open);
	return writer.full ? -EMSGSIZE : (long)writer.length;
}

void fastcgi_stdin(size_t content, uint8_t to[FASTCGI_HEAD_SIZE])
{
	struct writer writer = { .to = to, .size = FASTCGI_HEAD_SIZE };

	put_header(&writer, FCGI_STDIN, content);
}

long fastcgi_request(const struct fastcgi_param *params, size_t count, const void *body,
                     size_t body_size, bool keep_open, uint8_t *to, size_t size)
{
	struct writer writer = { .to = to, .size = size };

	put_begin(&writer, params, count, keep_open);
	put_stream(&writer, FCGI_STDIN, body, body_size);
	return writer.full ? -EMSGSIZE : (long)writer.length;
}

void fastcgi_reply_init(struct fastcgi_reply *reply, char *stdout_buffer, size_t stdout_size,
                        char *stderr_buffer, size_t stderr_size)
{
	*reply = (struct fastcgi_reply){
		.stdout_buffer = stdout_buffer,
		.stdout_size = stdout_size,
		.stderr_buffer = stderr_buffer,
		.stderr_size = stderr_size,
	};
}

/* As much of @data as @to has room for.  False when some was dropped. */
static bool keep(char *to, size_t room, size_t *length, const uint8_t *data, size_t size)
{
	size_t fits = size < room - *length ? size : room - *length;

	if (fits > 0)
		memcpy(to + *length, data, fits);
	*length += fits;
	return fits == size;
}

static void take_content(struct fastcgi_reply *reply, const uint8_t *data, size_t size)
{
	switch (reply->header[1]) {
	case FCGI_STDOUT:
		if (!keep(reply->stdout_buffer, reply->stdout_size, &reply->stdout_length, data,
		          size))
			reply->stdout_cut = true;
		break;
	case FCGI_STDERR:
		(void)keep(reply->stderr_buffer, reply->stderr_size, &reply->stderr_length, data,
		           size);
		break;
	case FCGI_END_REQUEST:
		(void)keep((char *)reply->end_body, sizeof(reply->end_body), &reply->end_size, data,
		           size);
		break;
	}
}

static int begin_record(struct fastcgi_reply *reply)
{
	const uint8_t *header = reply->header;
	uint8_t type = header[1];

	if (header[0] != FCGI_VERSION || header[2] != 0 || header[3] != REQUEST_ID)
		return -EBADMSG;
	if (type != FCGI_STDOUT && type != FCGI_STDERR && type != FCGI_END_REQUEST)
		return -EBADMSG;
	reply->content_left = (size_t)header[4] << 8 | header[5];
	reply->padding_left = header[6];
	if (type == FCGI_END_REQUEST && reply->content_left != FCGI_END_BODY_SIZE)
		return -EBADMSG;
	return 0;
}

static void end_record(struct fastcgi_reply *reply)
{
	const uint8_t *body = reply->end_body;

	reply->header_size = 0;
	if (reply->header[1] != FCGI_END_REQUEST)
		return;
	reply->ended = true;
	reply->app_status = (uint32_t)body[0] << 24 | (uint32_t)body[1] << 16 |
	                    (uint32_t)body[2] << 8 | body[3];
	reply->protocol_status = body[4];
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One step: some of the header, of the content or of the padding.  Returns the bytes used. */
static int step(struct fastcgi_reply *reply, const uint8_t *data, size_t size, size_t *used)
{
	if (reply->header_size < FASTCGI_HEAD_SIZE) {
		*used = smaller(size, FASTCGI_HEAD_SIZE - reply->header_size);
		memcpy(reply->header + reply->header_size, data, *used);
		reply->header_size += *used;
		if (reply->header_size < FASTCGI_HEAD_SIZE)
			return 0;
		int r = begin_record(reply);
		if (r < 0)
			return r;
	} else if (reply->content_left > 0) {
		*used = smaller(size, reply->content_left);
		take_content(reply, data, *used);
		reply->content_left -= *used;
	} else {
		*used = smaller(size, reply->padding_left);
		reply->padding_left -= *used;
	}
	if (reply->content_left == 0 && reply->padding_left == 0)
		end_record(reply);
	return 0;
}

int fastcgi_reply_feed(struct fastcgi_reply *reply, const uint8_t *data, size_t size)
{
	while (size > 0) {
		size_t used = 0;

		if (reply->ended)
			return -EBADMSG;
		int r = step(reply, data, size, &used);
		if (r < 0)
			return r;
		data += used;
		size -= used;
	}
	return 0;
}

/* The end of the line at @at: its '\n', or NULL. */
static const char *line_end(const char *at, const char *end)
{
	return memchr(at, '\n', (size_t)(end - at));
}

static bool is_blank_line(const char *line, const char *newline)
{
	return newline == line || (newline == line + 1 && *line == '\r');
}

/* "Status: 404 Not Found"; a number out of 100 to 999 is 0, which is no success anywhere. */
static void take_status(const char *line, const char *newline, int *status)
{
	static const char name[] = "Status:";
	int number = 0;

	if ((size_t)(newline - line) < strlen(name) || strncasecmp(line, name, strlen(name)) != 0)
		return;
	line += strlen(name);
	while (*line == ' ' || *line == '\t')
		line++;
	for (; *line >= '0' && *line <= '9' && number < 1000; line++)
		number = number * 10 + (*line - '0');
	*status = number >= 100 && number < 1000 ? number : 0;
}

int fastcgi_reply_head(const struct fastcgi_reply *reply, int *status, const char **body,
                       size_t *body_size)
{
	const char *line = reply->stdout_buffer;
	int found = 200;

	if (reply->stdout_length == 0)
		return -EBADMSG;
	const char *end = line + reply->stdout_length;
	while (line < end) {
		const char *newline = line_end(line, end);

		if (!newline)
			return -EBADMSG;
		if (is_blank_line(line, newline)) {
			*status = found;
			*body = newline + 1;
			*body_size = (size_t)(end - newline - 1);
			return 0;
		}
		take_status(line, newline, &found);
		line = newline + 1;
	}
	return -EBADMSG;
}
