#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "session/script.h"
#include "util/macros.h"

static void test_an_answer_is_taken_apart(void **state)
{
	static const char body[] = "id=abc-DEF,012\nvalue=6f6e\nproblem=Notice: x = y\n";
	struct script_answer answer;

	(void)state;
	assert_int_equal(script_read(body, strlen(body), &answer), 0);
	assert_string_equal(answer.id, "abc-DEF,012");
	assert_string_equal(answer.value, "6f6e");
	assert_string_equal(answer.problem, "Notice: x = y");
}

static void test_nothing_is_an_answer_too(void **state)
{
	static const char body[] = "id=\nvalue=\nproblem=\n";
	struct script_answer answer = { .id = "x", .value = "y", .problem = "z" };

	(void)state;
	assert_int_equal(script_read(body, strlen(body), &answer), 0);
	assert_string_equal(answer.id, "");
	assert_string_equal(answer.value, "");
	assert_string_equal(answer.problem, "");
}

#define LONG_50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG_250 LONG_50 LONG_50 LONG_50 LONG_50 LONG_50

/* clang-format off */
static const struct {
	const char *says;
	const char *body;
} strange[] = {
	{ "nothing at all",             "" },
	{ "a page of the application",  "<html>\n" },
	{ "no last line end",           "id=a\nvalue=b\nproblem=" },
	{ "another order",              "value=b\nid=a\nproblem=\n" },
	{ "a line too few",             "id=a\nvalue=b\n" },
	{ "more behind it",             "id=a\nvalue=b\nproblem=\nmore\n" },
	{ "something before it",        "Warning: x\nid=a\nvalue=b\nproblem=\n" },
	{ "an id that PHP never makes", "id=a&b\nvalue=b\nproblem=\n" },
	{ "an id too long",             "id=" LONG_250 LONG_50 "\nvalue=\nproblem=\n" },
	{ "a value too long",           "id=a\nvalue=" LONG_250 "\nproblem=\n" },
	{ "a problem too long",         "id=a\nvalue=\nproblem=" LONG_250 "\n" },
	{ "a control character",        "id=a\nvalue=\nproblem=\x1b[31m\n" },
	{ "a byte above ASCII",         "id=a\nvalue=\xff\nproblem=\n" },
};
/* clang-format on */

static void test_everything_else_is_refused(void **state)
{
	struct script_answer answer;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(strange); i++)
		if (script_read(strange[i].body, strlen(strange[i].body), &answer) != -EBADMSG)
			fail_msg("%s was accepted", strange[i].says);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_is_taken_apart),
		cmocka_unit_test(test_nothing_is_an_answer_too),
		cmocka_unit_test(test_everything_else_is_refused),
	};

	return cmocka_run_group_tests_name("session/script", tests, NULL, NULL);
}
