#include <stdlib.h>
#include <string.h>

#include "../util/captured.h"
#include "cli/table.h"
#include "util/macros.h"

static const struct table_column columns[] = {
	{ "NAME", .least = 6 },
	{ "N", .right = true },
	{ "TEXT", .least = 4 },
};

static struct table table;

static void print(const void *colours)
{
	table_print(&table, *(const bool *)colours);
}

static struct table_cell *row(const char *name, const char *number, const char *text)
{
	struct table_cell *cells = table_row(&table);

	assert_non_null(cells);
	cell_set(&cells[0], "%s", name);
	cell_set(&cells[1], "%s", number);
	cell_set(&cells[2], "%s", text);
	return cells;
}

static void test_columns_are_as_wide_as_what_is_in_them(void **state)
{
	char text[1024];

	(void)state;
	table_init(&table, columns, ARRAY_SIZE(columns));
	row("a", "1000", "x");
	row("bcdef", "1", "yz");
	capture(print, &(bool){ false }, text, sizeof(text));
	assert_string_equal(text, "NAME     N TEXT\na     1000 x\nbcdef    1 yz\n");
}

static void test_what_is_too_wide_loses_its_widest_texts(void **state)
{
	char name[61], long_text[101], text[1024];

	(void)state;
	memset(name, 'n', 60);
	memset(long_text, 't', 100);
	name[60] = long_text[100] = '\0';
	table_init(&table, columns, ARRAY_SIZE(columns));
	row(name, "1000", long_text);
	row("short", "1", "t");
	capture(print, &(bool){ false }, text, sizeof(text));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= TABLE_WIDTH);
	capture(print, &(bool){ false }, text, sizeof(text));
	assert_non_null(strstr(text, "n~ 1000 ttt"));
	assert_non_null(strstr(text, "t~\n"));
	assert_non_null(strstr(text, "short "));
}

static void test_colours_are_around_the_text_alone(void **state)
{
	char text[1024];

	(void)state;
	table_init(&table, columns, ARRAY_SIZE(columns));
	row("bad", "1", "x")[0].colour = COLOUR_BAD;
	capture(print, &(bool){ true }, text, sizeof(text));
	assert_string_equal(text, "NAME N TEXT\n\033[31mbad\033[0m  1 x\n");
}

static void test_a_full_table_takes_no_more(void **state)
{
	(void)state;
	table_init(&table, columns, ARRAY_SIZE(columns));
	for (int i = 0; i < TABLE_ROWS_MAX; i++)
		assert_non_null(table_row(&table));
	assert_null(table_row(&table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_columns_are_as_wide_as_what_is_in_them),
		TEST(test_what_is_too_wide_loses_its_widest_texts),
		TEST(test_colours_are_around_the_text_alone),
		TEST(test_a_full_table_takes_no_more),
	};

	return cmocka_run_group_tests_name("cli/table", tests, NULL, NULL);
}
