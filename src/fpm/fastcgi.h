/*
 * fastcgi.h - FastCGI 1.0 as bytes: a request, and its answer.  Pure; fuzzed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macros.h"

struct fastcgi_param {
	const char *name;
	const char *value;
};

/*
 * Write a whole request (begin, params, end of params, @body, end of stdin) to @to.  With
 * @keep_open the connection stays open behind the answer.
 *
 * Returns the number of bytes, or -EMSGSIZE when it does not fit in @size, or the params not in one
 * record (64 KB).
 */
MUST_CHECK long fastcgi_request(const struct fastcgi_param *params, size_t count, const void *body,
                                size_t body_size, bool keep_open, uint8_t *to, size_t size);

/*
 * The beginning of a request alone, up to the end of the params, for a body that is sent piece by
 * piece: each behind the head that fastcgi_stdin() writes, and after the last one the head of an
 * empty piece.
 */
MUST_CHECK long fastcgi_begin(const struct fastcgi_param *params, size_t count, bool keep_open,
                              uint8_t *to, size_t size);
enum { FASTCGI_HEAD_SIZE = 8, FASTCGI_CONTENT_MAX = 65535 };
void fastcgi_stdin(size_t content, uint8_t to[FASTCGI_HEAD_SIZE]);

/* An answer as it grows: feed it what arrives, in any pieces. */
struct fastcgi_reply {
	uint8_t header[8]; /* of the record at hand */
	size_t header_size;
	size_t content_left;
	size_t padding_left;
	uint8_t end_body[8]; /* FCGI_END_REQUEST's */
	size_t end_size;
	bool ended;
	uint8_t protocol_status; /* 0: FCGI_REQUEST_COMPLETE */
	uint32_t app_status;
	char *stdout_buffer; /* borrowed */
	size_t stdout_size, stdout_length;
	bool stdout_cut; /* more came than fits; the rest was dropped */
	char *stderr_buffer;
	size_t stderr_size, stderr_length;
};

/* Start an answer; the buffers are borrowed until it is done.  Sizes may be 0. */
void fastcgi_reply_init(struct fastcgi_reply *reply, char *stdout_buffer, size_t stdout_size,
                        char *stderr_buffer, size_t stderr_size);

/* Feed @size bytes.  Returns 0 (look at reply->ended), or -EBADMSG for what is not FastCGI. */
MUST_CHECK int fastcgi_reply_feed(struct fastcgi_reply *reply, const uint8_t *data, size_t size);

/*
 * The CGI head of what came on stdout: *@status is the Status header's number, 200 without one;
 * *@body and *@body_size point into the buffer.
 *
 * Returns 0, or -EBADMSG when there is no end of the head.
 */
MUST_CHECK int fastcgi_reply_head(const struct fastcgi_reply *reply, int *status, const char **body,
                                  size_t *body_size);
