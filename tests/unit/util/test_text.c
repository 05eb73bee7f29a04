#include <stdbool.h>

#include "leaks.h"
#include "util/text.h"

/* clang-format off */
static const struct {
	const char *says, *value;
	const char *result; /* in a buffer of 8 bytes */
	bool cut;
} adds[] = {
	{ "nothing",                      "",         "",        false },
	{ "what fits",                    "abc",      "abc",     false },
	{ "what just fits",               "abcdefg",  "abcdefg", false },
	{ "one byte too long is cut",     "abcdefgh", "abcdefg", true  },
	{ "a percent sign is just text",  "%s%n",     "%s%n",    false },
};

static const struct {
	const char *says, *value, *result;
} quotes[] = {
	{ "nothing",                        "",             "''"                     },
	{ "plain text",                     "abc",          "'abc'"                  },
	{ "blanks and percent signs stay",  "a b%s",        "'a b%s'"                },
	{ "UTF-8 stays",                    "gr\xc3\xbc\xc3\x9f", "'gr\xc3\xbc\xc3\x9f'" },
	{ "a quote cannot end it",          "a'b",          "'a\\x27b'"              },
	{ "a backslash is no escape",       "a\\b",         "'a\\x5cb'"              },
	{ "a newline makes no second line", "a\nb",         "'a\\x0ab'"              },
	{ "no terminal is spoken to",       "\033[2J\x7f",  "'\\x1b[2J\\x7f'"        },
	{ "the last control character",     "\x1f ",        "'\\x1f '"               },
};

static const struct {
	const char *says, *value;
	const char *copied, *cut; /* in a buffer of 4 bytes */
	bool fits;
} copies[] = {
	{ "nothing",          "",      "",    "",    true  },
	{ "what fits",        "ab",    "ab",  "ab",  true  },
	{ "what just fits",   "abc",   "abc", "abc", true  },
	{ "one byte too long", "abcd", "",    "abc", false },
	{ "much too long",    "abcdefghijklmnop", "", "abc", false },
	{ "a format is text", "%s",    "%s",  "%s",  true  },
};

static const struct {
	const char *says, *value, *prefix;
	bool begins;
} beginnings[] = {
	{ "with itself",               "abc", "abc",  true  },
	{ "with its beginning",        "abc", "ab",   true  },
	{ "everything with nothing",   "abc", "",     true  },
	{ "nothing with nothing",      "",    "",     true  },
	{ "not with its end",          "abc", "bc",   false },
	{ "not with more than it has", "abc", "abcd", false },
	{ "nothing not with something", "",   "a",    false },
};
/* clang-format on */

static void test_what_does_not_fit_is_cut(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(adds); i++) {
		char buffer[10] = "~~~~~~~~~";
		struct text text = text_init(buffer, 8);

		text_add(&text, "%s", adds[i].value);
		if (strcmp(buffer, adds[i].result) != 0 || text.cut != adds[i].cut ||
		    text.length != strlen(adds[i].result))
			fail_msg("%s: got '%s'", adds[i].says, buffer);
		if (buffer[8] != '~')
			fail_msg("%s: overrun", adds[i].says);
	}
}

static void test_a_text_grows_and_stays_cut(void **state)
{
	char buffer[8];
	struct text text = TEXT(buffer);

	(void)state;
	text_add(&text, "%d", 12);
	text_add(&text, "-%s", "ab");
	assert_string_equal(buffer, "12-ab");
	assert_false(text.cut);
	text_add(&text, "cdefg");
	assert_string_equal(buffer, "12-abcd");
	text_add(&text, "h");
	text_add(&text, "%s", "");
	assert_string_equal(buffer, "12-abcd");
	assert_true(text.cut);
	assert_int_equal(text.length, 7);
}

static void test_the_smallest_buffer_holds_the_end_only(void **state)
{
	char buffer[2] = "~~";
	struct text text = text_init(buffer, 1);

	(void)state;
	text_add(&text, "abc");
	text_add_quoted(&text, "abc");
	assert_int_equal(buffer[0], '\0');
	assert_int_equal(buffer[1], '~');
	assert_int_equal(text.length, 0);
	assert_true(text.cut);
}

static void test_quoted(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(quotes); i++) {
		char buffer[64];
		struct text text = TEXT(buffer);

		text_add_quoted(&text, quotes[i].value);
		if (strcmp(buffer, quotes[i].result) != 0)
			fail_msg("%s: got %s", quotes[i].says, buffer);
		assert_false(text.cut);
	}
}

static void test_quoted_is_never_overrun(void **state)
{
	(void)state;

	for (size_t size = 1; size < 20; size++) {
		char buffer[32];
		struct text text = text_init(buffer, size);

		memset(buffer + size, '~', sizeof(buffer) - size);
		text_add_quoted(&text, "\n\n\n'a'");
		assert_true(text.cut);
		assert_int_equal(strlen(buffer), size - 1);
		assert_int_equal(text.length, size - 1);
		for (size_t i = size; i < sizeof(buffer); i++)
			assert_int_equal(buffer[i], '~');
	}
}

static void test_copy(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(copies); i++) {
		char to[6] = "~~~~~";

		if (text_copy(to, 4, copies[i].value) != copies[i].fits ||
		    strcmp(to, copies[i].copied) != 0 || to[4] != '~')
			fail_msg("%s: got '%s'", copies[i].says, to);
		strcpy(to, "~~~~~");
		text_copy_cut(to, 4, copies[i].value);
		if (strcmp(to, copies[i].cut) != 0 || to[4] != '~')
			fail_msg("%s, cut: got '%s'", copies[i].says, to);
	}
}

static void test_begins(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		if (text_begins(beginnings[i].value, beginnings[i].prefix) != beginnings[i].begins)
			fail_msg("%s", beginnings[i].says);
}

static void test_tame(void **state)
{
	char text[] = "a\x1b[2J\n\t\x7f\xc3\xa9 \xc2\x9b"
		      "2J\xc2\xa0";
	char endless[4] = { 'x', '\r', 'x', 'x' };

	(void)state;
	text_tame(text, sizeof(text));
	assert_string_equal(text, "a?[2J???\xc3\xa9 ??2J\xc2\xa0");
	text_tame(endless, sizeof(endless));
	assert_string_equal(endless, "x?x");
}

/* clang-format off */
static const struct {
	const char *says, *value;
	size_t length;
} characters[] = {
	{ "ASCII",                          "a",                1 },
	{ "the end is one, too",            "",                 1 },
	{ "two bytes",                      "\xc3\xbc" "x",     2 },
	{ "three bytes",                    "\xe2\x82\xac",     3 },
	{ "four bytes",                     "\xf0\x9f\x98\x80", 4 },
	{ "the last there is",              "\xf4\x8f\xbf\xbf", 4 },
	{ "one behind the last",            "\xf4\x90\x80\x80", 0 },
	{ "a byte that follows no first",   "\xbc",             0 },
	{ "a byte that is in no character", "\xff",             0 },
	{ "a slash in two bytes",           "\xc0\xaf",         0 },
	{ "a longer form than needed",      "\xe0\x9f\xbf",     0 },
	{ "the same with four",             "\xf0\x8f\xbf\xbf", 0 },
	{ "half of a surrogate pair",       "\xed\xa0\x80",     0 },
	{ "two bytes that end after one",   "\xc3",             0 },
	{ "three that end after two",       "\xe2\x82",         0 },
	{ "four that go on as something",   "\xf0\x9f\x98" "a", 0 },
};
/* clang-format on */

static void test_character(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(characters); i++)
		if (text_character(characters[i].value) != characters[i].length)
			fail_msg("%s: %zu bytes, not %zu", characters[i].says,
			         text_character(characters[i].value), characters[i].length);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_does_not_fit_is_cut),
		TEST(test_a_text_grows_and_stays_cut),
		TEST(test_the_smallest_buffer_holds_the_end_only),
		TEST(test_quoted),
		TEST(test_quoted_is_never_overrun),
		TEST(test_copy),
		TEST(test_begins),
		TEST(test_tame),
		TEST(test_character),
	};

	return cmocka_run_group_tests_name("util/text", tests, NULL, NULL);
}
