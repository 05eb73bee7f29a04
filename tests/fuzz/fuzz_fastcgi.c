/*
 * Any bytes as an answer: in one piece and in many they say the same.  And as the params of a
 * request: it holds what it was given, in records that a server can walk along.
 */
#include <errno.h>

#include "fuzz.h"

#include "fpm/fastcgi.h"

struct answer {
	char out[512], err[64];
	struct fastcgi_reply reply;
	int result;
};

static void feed(struct answer *answer, const uint8_t *data, size_t size, size_t piece)
{
	memset(answer, 0, sizeof(*answer));
	fastcgi_reply_init(&answer->reply, answer->out, sizeof(answer->out), answer->err,
	                   sizeof(answer->err));
	for (size_t at = 0; at < size && answer->result == 0; at += piece)
		answer->result = fastcgi_reply_feed(&answer->reply, data + at,
		                                    size - at < piece ? size - at : piece);
}

static void look_at_head(const struct fastcgi_reply *reply)
{
	const char *body;
	size_t body_size;
	int status;

	if (fastcgi_reply_head(reply, &status, &body, &body_size) < 0)
		return;
	assert(status == 0 || (status >= 100 && status <= 999));
	assert(body + body_size == reply->stdout_buffer + reply->stdout_length);
}

/* The content of the records of @type in @bytes, which are whole; -1 when they are not. */
static long content_of(const uint8_t *bytes, size_t size, uint8_t type)
{
	long total = 0;

	for (size_t at = 0; at < size;) {
		if (size - at < 8)
			return -1;
		size_t content = (size_t)bytes[at + 4] << 8 | bytes[at + 5];
		if (bytes[at + 1] == type)
			total += (long)content;
		at += 8 + content + bytes[at + 6];
		if (at > size)
			return -1;
	}
	return total;
}

static size_t encoded(const char *text)
{
	return strlen(text) + (strlen(text) > 127 ? 4 : 1);
}

/* Its beginning alone, and the end of a body, are the same as in the whole request. */
static void begin_alone(const struct fastcgi_param *params, size_t count, bool keep_open,
                        const uint8_t *whole, long length)
{
	static uint8_t bytes[1 << 18];
	uint8_t end[FASTCGI_HEAD_SIZE];
	long begin = fastcgi_begin(params, count, keep_open, bytes, sizeof(bytes));

	assert(begin > 0 && begin < length);
	assert(memcmp(bytes, whole, (size_t)begin) == 0);
	fastcgi_stdin(0, end);
	assert(memcmp(end, whole + length - sizeof(end), sizeof(end)) == 0);
}

/* The first half of the input is the name of a param, all of it the value of another, and the body.
 */
static void request(const uint8_t *data, size_t size)
{
	static char name[1 << 17], value[1 << 17];
	static uint8_t bytes[1 << 18];
	const struct input half = { data, data + size / 2 }, whole = { data, data + size };
	const struct fastcgi_param params[] = {
		{ input_text(&half, name, sizeof(name)), "" },
		{ "NAME", input_text(&whole, value, sizeof(value)) },
	};
	size_t room = data[0] & 1 ? sizeof(bytes) : size;
	size_t wanted = encoded(name) + encoded("") + encoded("NAME") + encoded(value);
	long length = fastcgi_request(params, 2, data, size, data[0] & 2, bytes, room);

	assert(length == -EMSGSIZE || (length > 0 && (size_t)length <= room));
	if (length < 0) {
		assert(wanted > 65535 || room < wanted + size + 100);
		return;
	}
	assert(content_of(bytes, (size_t)length, 4) == (long)wanted);
	assert(content_of(bytes, (size_t)length, 5) == (long)size);
	begin_alone(params, 2, data[0] & 2, bytes, length);
}

static void compare(const struct answer *a, const struct answer *b)
{
	assert(a->result == b->result);
	assert(a->reply.ended == b->reply.ended);
	assert(a->reply.stdout_length == b->reply.stdout_length);
	assert(a->reply.stderr_length == b->reply.stderr_length);
	assert(memcmp(a->out, b->out, sizeof(a->out)) == 0);
	assert(memcmp(a->err, b->err, sizeof(a->err)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer whole, pieces;

	if (size < 1)
		return 0;
	size_t piece = 1 + data[0] % 16;

	feed(&whole, data + 1, size - 1, size);
	feed(&pieces, data + 1, size - 1, piece);
	assert(whole.result == 0 || whole.result == -EBADMSG);
	compare(&whole, &pieces);
	look_at_head(&whole.reply);
	request(data, size);
	return 0;
}
