/* Any bytes as an answer: in one piece and in many they say the same. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fpm/fastcgi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	return 0;
}
