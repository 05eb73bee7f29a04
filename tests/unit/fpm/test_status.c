#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fpm/status.h"
#include "util/macros.h"

/* As php-fpm 8.2 prints it: one worker waits for a request's head, one runs what a visitor sent. */
static const char page[] =
	"{\"pool\":\"www\",\"process manager\":\"static\",\"start time\":1795257132,"
	"\"start since\":0,\"accepted conn\":2,\"listen queue\":3,\"max listen queue\":7,"
	"\"listen queue len\":100,\"idle processes\":0,\"active processes\":2,"
	"\"total processes\":2,\"max active processes\":2,\"max children reached\":4,"
	"\"slow requests\":5, \"processes\":["
	"{\"pid\":23696,\"state\":\"Idle\",\"start time\":1795257132,\"last request cpu\":0.00},"
	"{\"pid\":23697,\"state\":\"Reading headers\",\"start time\":1795257132,"
	"\"start since\":0,\"requests\":1,\"request duration\":201599,\"request method\":\"-\","
	"\"request uri\":\"-\",\"content length\":0,\"user\":\"-\",\"script\":\"-\","
	"\"last request cpu\":0.00,\"last request memory\":0},"
	"{\"pid\":23698,\"state\":\"Running\",\"start time\":1795257132,\"start since\":0,"
	"\"requests\":1,\"request duration\":502384,\"request method\":\"GET\","
	"\"request uri\":\"\\/slow.php?x=\\\"}]\\\\\",\"content length\":0,\"user\":\"-\","
	"\"script\":\"\\/app\\/slow.php\",\"last request cpu\":0.00,"
	"\"last request memory\":-1}]}\n";

static int parse(const char *body, size_t size, struct fpm_status *status)
{
	/* a copy of just the size, so that a sanitizer sees a step too far */
	char *copy = malloc(size > 0 ? size : 1);

	assert_non_null(copy);
	memcpy(copy, body, size);
	int r = fpm_status_parse(copy, size, status);
	free(copy);
	return r;
}

static void test_a_page_of_php_8_2(void **state)
{
	struct fpm_status status;

	(void)state;
	assert_int_equal(parse(page, sizeof(page) - 1, &status), 0);
	assert_int_equal(status.accepted, 2);
	assert_int_equal(status.queue, 3);
	assert_int_equal(status.queue_max, 7);
	assert_int_equal(status.active_max, 2);
	assert_int_equal(status.children_max, 4);
	assert_int_equal(status.slow, 5);
	assert_int_equal(status.processes, 3);
	assert_int_equal(status.busy, 2);
	assert_int_equal(status.reading_headers, 1);
	assert_int_equal(status.busy_pid, 23697);
	assert_int_equal(status.busy_state, WORKER_READING_HEADERS);
}

static void test_no_piece_of_a_page_is_a_page(void **state)
{
	struct fpm_status status;

	(void)state;
	for (size_t size = 0; size < sizeof(page) - 2; size++)
		assert_int_equal(parse(page, size, &status), -EBADMSG);
}

static const struct {
	const char *says;
	const char *body;
	int result;
	unsigned processes, busy;
	enum worker_state state;
} pages[] = {
	{ "nobody", "{\"processes\":[]}", 0, 0, 0, WORKER_IDLE },
	{ "blanks", " {\t\"processes\" :\r\n[ ] } \n", 0, 0, 0, WORKER_IDLE },
	{ "one idle", "{\"processes\":[{\"pid\":1,\"state\":\"Idle\"}]}", 0, 1, 0, WORKER_IDLE },
	{ "one finishing", "{\"processes\":[{\"pid\":1,\"state\":\"Finishing\"}]}", 0, 1, 1,
	  WORKER_FINISHING },
	{ "a state of a later version", "{\"processes\":[{\"state\":\"Dreaming\"}]}", 0, 1, 1,
	  WORKER_OTHER },
	{ "a state that only begins like one", "{\"processes\":[{\"state\":\"Idle \"}]}", 0, 1, 1,
	  WORKER_OTHER },
	{ "the state that FPM writes, not a visitor's",
	  "{\"processes\":[{\"state\":\"Running\",\"state\":\"Idle\",\"pid\":1,\"pid\":2}]}", 0, 1,
	  1, WORKER_RUNNING },
	{ "unknown members of any form",
	  "{\"a\":{\"b\":[1,{\"c\":\"]}\"}]},\"d\":null,\"e\":-1.5e+3,"
	  "\"processes\":[{\"x\":[[{}]],\"state\":\"Idle\"}],\"f\":true}",
	  0, 1, 0, WORKER_IDLE },
	{ "only the first list counts",
	  "{\"processes\":[{\"state\":\"Running\"}],\"processes\":[]}", 0, 1, 1, WORKER_RUNNING },
	{ "bytes that are no UTF-8",
	  "{\"processes\":[{\"state\":\"Idle\",\"request uri\":\"\xff\xfe\x01\x80\"}]}", 0, 1, 0,
	  WORKER_IDLE },
	{ "a number beyond all", "{\"accepted conn\":99999999999999999999999999,\"processes\":[]}",
	  0, 0, 0, WORKER_IDLE },
	{ "a short page", "{\"pool\":\"www\",\"active processes\":0}", -EBADMSG, 0, 0, 0 },
	{ "no page", "File not found.\n", -EBADMSG, 0, 0, 0 },
	{ "another format", "pool: www\n", -EBADMSG, 0, 0, 0 },
	{ "nothing", "", -EBADMSG, 0, 0, 0 },
	{ "an empty object", "{}", -EBADMSG, 0, 0, 0 },
	{ "a list", "[]", -EBADMSG, 0, 0, 0 },
	{ "more behind it", "{\"processes\":[]} x", -EBADMSG, 0, 0, 0 },
	{ "two pages", "{\"processes\":[]}{\"processes\":[]}", -EBADMSG, 0, 0, 0 },
	{ "processes are no list", "{\"processes\":{}}", -EBADMSG, 0, 0, 0 },
	{ "a process is no object", "{\"processes\":[1]}", -EBADMSG, 0, 0, 0 },
	{ "a process without a state", "{\"processes\":[{\"pid\":1}]}", -EBADMSG, 0, 0, 0 },
	{ "an empty process", "{\"processes\":[{}]}", -EBADMSG, 0, 0, 0 },
	{ "a state that is no text", "{\"processes\":[{\"state\":1}]}", -EBADMSG, 0, 0, 0 },
	{ "a pid that is no number", "{\"processes\":[{\"pid\":\"1\"}]}", -EBADMSG, 0, 0, 0 },
	{ "a count that is no number", "{\"accepted conn\":null,\"processes\":[]}", -EBADMSG, 0, 0,
	  0 },
	{ "a comma too many", "{\"processes\":[],}", -EBADMSG, 0, 0, 0 },
	{ "a process too few", "{\"processes\":[{\"state\":\"Idle\"},]}", -EBADMSG, 0, 0, 0 },
	{ "a name too few", "{:1,\"processes\":[]}", -EBADMSG, 0, 0, 0 },
	{ "a value too few", "{\"a\":,\"processes\":[]}", -EBADMSG, 0, 0, 0 },
	{ "an escape at the end", "{\"a\":\"\\", -EBADMSG, 0, 0, 0 },
	{ "no end of a text in a value", "{\"a\":[\"b", -EBADMSG, 0, 0, 0 },
};

static void test_pages(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		struct fpm_status status = { .busy_state = WORKER_IDLE };
		int r = parse(pages[i].body, strlen(pages[i].body), &status);

		if (r != pages[i].result || status.processes != pages[i].processes ||
		    status.busy != pages[i].busy || status.busy_state != pages[i].state)
			fail_msg("%s: got %d, %u of %u busy, %s", pages[i].says, r, status.busy,
			         status.processes, worker_state_name(status.busy_state));
	}
}

static void test_a_nul_byte_ends_nothing(void **state)
{
	static const char in_text[] = "{\"a\":\"\0\",\"processes\":[]}";
	static const char in_value[] = "{\"a\":\0,\"processes\":[]}";
	static const char behind[] = "{\"processes\":[]}\0";
	struct fpm_status status;

	(void)state;
	assert_int_equal(parse(in_text, sizeof(in_text) - 1, &status), 0);
	assert_int_equal(parse(in_value, sizeof(in_value) - 1, &status), -EBADMSG);
	assert_int_equal(parse(behind, sizeof(behind) - 1, &status), -EBADMSG);
}

static void test_nesting_without_end(void **state)
{
	enum { DEPTH = 1 << 20 };
	static char deep[DEPTH];
	struct fpm_status status;

	(void)state;
	memset(deep, '[', sizeof(deep));
	memcpy(deep, "{\"a\":", strlen("{\"a\":"));
	assert_int_equal(fpm_status_parse(deep, sizeof(deep), &status), -EBADMSG);
}

static void test_names_of_states(void **state)
{
	(void)state;

	assert_string_equal(worker_state_name(WORKER_IDLE), "Idle");
	assert_string_equal(worker_state_name(WORKER_READING_HEADERS), "Reading headers");
	assert_string_equal(worker_state_name(WORKER_OTHER), "another state");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_page_of_php_8_2),
		cmocka_unit_test(test_no_piece_of_a_page_is_a_page),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_a_nul_byte_ends_nothing),
		cmocka_unit_test(test_nesting_without_end),
		cmocka_unit_test(test_names_of_states),
	};

	return cmocka_run_group_tests_name("fpm/status", tests, NULL, NULL);
}
