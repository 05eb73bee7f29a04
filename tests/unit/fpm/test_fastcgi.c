#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fpm/fastcgi.h"
#include "util/macros.h"

#define BYTES(text) ((const uint8_t *)(text)), (sizeof(text) - 1)

/* Two pieces of stdout with padding, stderr between them, the end. */
#define OUT_1 "\1\6\0\1\0\20\3\0Status: 201 Ok\r\nxxx"
#define ERR_1 "\1\7\0\1\0\5\0\0oops\n"
#define OUT_2 "\1\6\0\1\0\6\2\0\r\nbodyxx"
#define OUT_0 "\1\6\0\1\0\0\0\0"
#define END   "\1\3\0\1\0\10\0\0\0\0\1\2\0\0\0\0"
#define WHOLE OUT_1 ERR_1 OUT_2 OUT_0 END

static char out[64], err[64];
static struct fastcgi_reply reply;

static void start(size_t out_size, size_t err_size)
{
	memset(out, 0, sizeof(out));
	memset(err, 0, sizeof(err));
	fastcgi_reply_init(&reply, out, out_size, err, err_size);
}

/* From memory of just this size, so that a sanitizer sees a step too far. */
static int feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	assert_non_null(copy);
	memcpy(copy, data, size);
	int r = fastcgi_reply_feed(&reply, copy, size);
	free(copy);
	return r;
}

static void assert_whole(void)
{
	const char *body;
	size_t body_size;
	int status;

	assert_true(reply.ended);
	assert_int_equal(reply.app_status, 0x102);
	assert_int_equal(reply.protocol_status, 0);
	assert_string_equal(err, "oops\n");
	assert_int_equal(reply.stderr_length, 5);
	assert_false(reply.stdout_cut);
	assert_int_equal(fastcgi_reply_head(&reply, &status, &body, &body_size), 0);
	assert_int_equal(status, 201);
	assert_int_equal(body_size, 4);
	assert_memory_equal(body, "body", 4);
}

static void test_a_whole_reply(void **state)
{
	(void)state;
	start(sizeof(out), sizeof(err));
	assert_int_equal(feed(BYTES(WHOLE)), 0);
	assert_whole();
	assert_int_equal(feed(BYTES("")), 0);
	assert_int_equal(feed(BYTES("x")), -EBADMSG); /* nothing follows the end */
}

static void test_a_reply_in_pieces(void **state)
{
	const uint8_t *whole = (const uint8_t *)WHOLE;
	size_t size = sizeof(WHOLE) - 1;

	(void)state;
	for (size_t piece = 1; piece < size; piece++) {
		start(sizeof(out), sizeof(err));
		for (size_t at = 0; at < size; at += piece) {
			assert_false(reply.ended);
			assert_int_equal(feed(whole + at, size - at < piece ? size - at : piece),
			                 0);
		}
		assert_whole();
	}
}

static void test_no_beginning_of_a_reply_is_one(void **state)
{
	(void)state;

	for (size_t size = 0; size < sizeof(WHOLE) - 1; size++) {
		start(sizeof(out), sizeof(err));
		assert_int_equal(feed((const uint8_t *)WHOLE, size), 0);
		assert_false(reply.ended);
	}
}

static void test_what_does_not_fit_is_dropped(void **state)
{
	const char *body;
	size_t body_size;
	int status;

	(void)state;
	for (size_t size = 0; size < 22; size++) {
		start(size, 3);
		assert_int_equal(feed(BYTES(WHOLE)), 0);
		assert_true(reply.ended);
		assert_true(reply.stdout_cut);
		assert_int_equal(reply.stdout_length, size);
		assert_int_equal(out[size], '\0');
		assert_string_equal(err, "oop");
		assert_int_equal(fastcgi_reply_head(&reply, &status, &body, &body_size),
		                 size < 18 ? -EBADMSG : 0);
	}

	fastcgi_reply_init(&reply, NULL, 0, NULL, 0);
	assert_int_equal(feed(BYTES(WHOLE)), 0);
	assert_true(reply.ended);
	assert_int_equal(fastcgi_reply_head(&reply, &status, &body, &body_size), -EBADMSG);
}

static const struct {
	const char *says;
	const uint8_t *data;
	size_t size;
	int result;
	bool ended;
} bad[] = {
	{ "another version", BYTES("\2\6\0\1\0\0\0\0"), -EBADMSG, false },
	{ "HTTP", BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"), -EBADMSG, false },
	{ "another request", BYTES("\1\6\0\2\0\0\0\0"), -EBADMSG, false },
	{ "another request, far away", BYTES("\1\6\1\1\0\0\0\0"), -EBADMSG, false },
	{ "a request for us", BYTES("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"), -EBADMSG, false },
	{ "an unknown type", BYTES("\1\377\0\1\0\0\0\0"), -EBADMSG, false },
	{ "an end that is too short", BYTES("\1\3\0\1\0\7\0\0\0\0\0\0\0\0\0"), -EBADMSG, false },
	{ "an end that is too long", BYTES("\1\3\0\1\0\11\0\0\0\0\0\0\0\0\0\0\0"), -EBADMSG,
	  false },
	{ "two ends", BYTES(END END), -EBADMSG, true },
	{ "an end with padding", BYTES("\1\3\0\1\0\10\1\0\0\0\0\0\3\0\0\0x"), 0, true },
	{ "only padding", BYTES("\1\6\0\1\0\0\2\0xx" END), 0, true },
	{ "an empty record with nothing", BYTES(OUT_0), 0, false },
	{ "nothing", BYTES(""), 0, false },
};

static void test_bad_replies(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start(sizeof(out), sizeof(err));
		int r = feed(bad[i].data, bad[i].size);

		if (r != bad[i].result || reply.ended != bad[i].ended)
			fail_msg("%s: got %d, %s", bad[i].says, r, reply.ended ? "ended" : "open");
	}
}

static void test_a_protocol_error_is_told(void **state)
{
	(void)state;
	start(sizeof(out), sizeof(err));
	assert_int_equal(feed(BYTES("\1\3\0\1\0\10\0\0\377\376\375\374\2\0\0\0")), 0);
	assert_int_equal(reply.protocol_status, 2); /* FCGI_OVERLOADED */
	assert_int_equal(reply.app_status, 0xfffefdfc);
}

static const struct {
	const char *says;
	const char *text;
	int result, status;
	const char *body;
} heads[] = {
	{ "no status is 200", "Content-type: text/html\r\n\r\nhello", 0, 200, "hello" },
	{ "a status", "Status: 404 Not Found\r\nX: y\r\n\r\n", 0, 404, "" },
	{ "a status without words", "Status:500\r\n\r\n", 0, 500, "" },
	{ "any letters", "X: y\nsTATUS: \t 302\n\nx", 0, 302, "x" },
	{ "no head at all", "\r\nbody", 0, 200, "body" },
	{ "none, in short", "\nbody", 0, 200, "body" },
	{ "a status in the body", "X: y\r\n\r\nStatus: 500\r\n\r\n", 0, 200,
	  "Status: 500\r\n\r\n" },
	{ "a status in a value", "X: Status: 500\r\n\r\n", 0, 200, "" },
	{ "no number", "Status: fine\r\n\r\n", 0, 0, "" },
	{ "an empty one", "Status:\r\n\r\n", 0, 0, "" },
	{ "too small a number", "Status: 99\r\n\r\n", 0, 0, "" },
	{ "too big a number", "Status: 1000\r\n\r\n", 0, 0, "" },
	{ "a number beyond all", "Status: 99999999999999999999\r\n\r\n", 0, 0, "" },
	{ "a negative one", "Status: -200\r\n\r\n", 0, 0, "" },
	{ "no end", "Status: 200\r\nX: y\r\n", -EBADMSG, 0, NULL },
	{ "no end of a line", "Status: 200", -EBADMSG, 0, NULL },
	{ "an end that is none", "X: y\r\n\rz\r\n", -EBADMSG, 0, NULL },
	{ "nothing", "", -EBADMSG, 0, NULL },
};

static void test_heads(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		size_t length = strlen(heads[i].text), body_size = 0;
		char *text = malloc(length + 1);
		const char *body = NULL;
		int status = 0;

		assert_non_null(text);
		memcpy(text, heads[i].text, length);
		const struct fastcgi_reply answer = { .stdout_buffer = text,
			                              .stdout_length = length };
		int r = fastcgi_reply_head(&answer, &status, &body, &body_size);
		if (r != heads[i].result || status != heads[i].status)
			fail_msg("%s: got %d, status %d", heads[i].says, r, status);
		if (r == 0 && (body_size != strlen(heads[i].body) ||
		               memcmp(body, heads[i].body, body_size) != 0))
			fail_msg("%s: %zu bytes of body", heads[i].says, body_size);
		free(text);
	}
}

static void test_a_request_byte_by_byte(void **state)
{
	static const char wanted[] = "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
				     "\1\4\0\1\0\15\0\0\4\2NAMEhi\3\0KEY"
				     "\1\4\0\1\0\0\0\0"
				     "\1\5\0\1\0\4\0\0body"
				     "\1\5\0\1\0\0\0";
	const struct fastcgi_param params[] = { { "NAME", "hi" }, { "KEY", "" } };
	uint8_t request[256];

	(void)state;
	long size = fastcgi_request(params, 2, "body", 4, false, request, sizeof(request));
	assert_int_equal(size, sizeof(wanted));
	assert_memory_equal(request, wanted, sizeof(wanted));

	for (size_t room = 0; room < sizeof(wanted); room++) {
		uint8_t *small = malloc(room > 0 ? room : 1);

		assert_int_equal(fastcgi_request(params, 2, "body", 4, false, small, room),
		                 -EMSGSIZE);
		free(small);
	}
}

static void test_a_request_with_nothing(void **state)
{
	uint8_t request[64];

	(void)state;
	assert_int_equal(fastcgi_request(NULL, 0, NULL, 0, false, request, sizeof(request)), 32);
	assert_memory_equal(request + 16, "\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0", 16);
	assert_memory_equal(request + 8, "\0\1\0\0\0\0\0\0", 8);
}

static void test_a_request_that_another_one_may_follow(void **state)
{
	uint8_t request[64];

	(void)state;
	assert_int_equal(fastcgi_request(NULL, 0, NULL, 0, true, request, sizeof(request)), 32);
	assert_memory_equal(request + 8, "\0\1\1\0\0\0\0\0", 8);
}

static void test_long_values_have_long_lengths(void **state)
{
	static char value[70000];
	static uint8_t request[80000];
	const struct fastcgi_param param = { "N", value };

	(void)state;
	memset(value, 'v', 127);
	assert_true(fastcgi_request(&param, 1, NULL, 0, false, request, sizeof(request)) > 0);
	assert_memory_equal(request + 24, "\1\177Nv", 4);

	value[127] = 'v';
	assert_true(fastcgi_request(&param, 1, NULL, 0, false, request, sizeof(request)) > 0);
	assert_memory_equal(request + 24, "\1\200\0\0\200Nv", 7);

	memset(value, 'v', 65529);
	assert_true(fastcgi_request(&param, 1, NULL, 0, false, request, sizeof(request)) > 0);
	assert_memory_equal(request + 20, "\377\377\0\0\1\200\0\377\371Nv", 11);

	/* more than one record: PHP could not put it together */
	value[65529] = 'v';
	assert_int_equal(fastcgi_request(&param, 1, NULL, 0, false, request, sizeof(request)),
	                 -EMSGSIZE);
}

static void test_a_long_body_is_cut_into_records(void **state)
{
	static char body[70000];
	static uint8_t request[80000];

	(void)state;
	memset(body, 'b', sizeof(body));
	long size = fastcgi_request(NULL, 0, body, sizeof(body), false, request, sizeof(request));
	assert_int_equal(size, 16 + 8 + 8 + 65535 + 8 + 4465 + 8);
	assert_memory_equal(request + 24, "\1\5\0\1\377\377\0\0b", 9);
	assert_memory_equal(request + 32 + 65535, "\1\5\0\1\21\161\0\0b", 9);
	assert_memory_equal(request + size - 8, "\1\5\0\1\0\0\0\0", 8);
}

static void test_a_request_whose_body_comes_later(void **state)
{
	const struct fastcgi_param param = { "N", "v" };
	uint8_t whole[128], pieces[128], small[40];

	(void)state;
	long size = fastcgi_request(&param, 1, "body", 4, false, whole, sizeof(whole));
	long begin = fastcgi_begin(&param, 1, false, pieces, sizeof(pieces));
	assert_int_equal(size, begin + 8 + 4 + 8);
	fastcgi_stdin(4, pieces + begin);
	memcpy(pieces + begin + 8, "body", 4);
	fastcgi_stdin(0, pieces + begin + 12);
	assert_memory_equal(pieces, whole, (size_t)size);

	for (long room = 0; room < begin; room++)
		assert_int_equal(fastcgi_begin(&param, 1, false, small, (size_t)room), -EMSGSIZE);
	assert_int_equal(fastcgi_begin(&param, 1, false, small, (size_t)begin), begin);
}

static void test_the_largest_piece_of_a_body(void **state)
{
	uint8_t head[FASTCGI_HEAD_SIZE];

	(void)state;
	fastcgi_stdin(FASTCGI_CONTENT_MAX, head);
	assert_memory_equal(head, "\1\5\0\1\377\377\0\0", sizeof(head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_reply),
		cmocka_unit_test(test_a_reply_in_pieces),
		cmocka_unit_test(test_no_beginning_of_a_reply_is_one),
		cmocka_unit_test(test_what_does_not_fit_is_dropped),
		cmocka_unit_test(test_bad_replies),
		cmocka_unit_test(test_a_protocol_error_is_told),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_a_request_byte_by_byte),
		cmocka_unit_test(test_a_request_with_nothing),
		cmocka_unit_test(test_a_request_that_another_one_may_follow),
		cmocka_unit_test(test_long_values_have_long_lengths),
		cmocka_unit_test(test_a_long_body_is_cut_into_records),
		cmocka_unit_test(test_a_request_whose_body_comes_later),
		cmocka_unit_test(test_the_largest_piece_of_a_body),
	};

	return cmocka_run_group_tests_name("fpm/fastcgi", tests, NULL, NULL);
}
