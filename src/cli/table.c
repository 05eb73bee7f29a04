#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/text.h"

void table_init(struct table *table, const struct table_column *columns, unsigned count)
{
	table->columns = columns;
	table->column_count = count;
	table->row_count = 0;
}

struct table_cell *table_row(struct table *table)
{
	if (table->row_count == TABLE_ROWS_MAX)
		return NULL;
	struct table_cell *cells = table->rows[table->row_count++];
	memset(cells, 0, sizeof(table->rows[0]));
	return cells;
}

void cell_set(struct table_cell *cell, const char *format, ...)
{
	struct text text = TEXT(cell->text);
	va_list args;

	va_start(args, format);
	text_vadd(&text, format, args);
	va_end(args);
}

bool table_colours(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && no_color[0] != '\0') &&
	       !(term && strcmp(term, "dumb") == 0);
}

const char *table_paint(enum table_colour colour, bool colours)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "",
		[COLOUR_GOOD] = "\033[32m",
		[COLOUR_DOUBT] = "\033[33m",
		[COLOUR_BAD] = "\033[31m",
	};

	return colours ? codes[colour] : "";
}

const char *table_unpaint(enum table_colour colour, bool colours)
{
	return colours && colour != COLOUR_NONE ? "\033[0m" : "";
}

static void measure(const struct table *table, unsigned widths[])
{
	for (unsigned i = 0; i < table->column_count; i++) {
		widths[i] = (unsigned)strlen(table->columns[i].title);
		for (unsigned row = 0; row < table->row_count; row++) {
			unsigned width = (unsigned)strlen(table->rows[row][i].text);

			if (width > widths[i])
				widths[i] = width;
		}
	}
}

/* The widest column that can still be cut, or column_count. */
static unsigned widest(const struct table *table, const unsigned widths[])
{
	unsigned found = table->column_count;

	for (unsigned i = 0; i < table->column_count; i++)
		if (table->columns[i].least > 0 && widths[i] > table->columns[i].least &&
		    (found == table->column_count || widths[i] > widths[found]))
			found = i;
	return found;
}

static void squeeze(const struct table *table, unsigned widths[])
{
	for (;;) {
		unsigned sum = table->column_count - 1, column = widest(table, widths);

		for (unsigned i = 0; i < table->column_count; i++)
			sum += widths[i];
		if (sum <= TABLE_WIDTH || column == table->column_count)
			return;
		widths[column]--;
	}
}

/* The last column of texts is not followed by blanks. */
static void print_cell(const struct table *table, unsigned column, unsigned width, const char *text,
                       enum table_colour colour, bool colours)
{
	unsigned length = (unsigned)strlen(text);
	bool cut = length > width, last = column + 1 == table->column_count;
	unsigned shown = cut ? width - 1 : length;
	unsigned blanks = cut ? 0 : width - length;
	bool right = table->columns[column].right;

	printf("%s%*s%s%.*s%s%s%*s", column > 0 ? " " : "", right ? (int)blanks : 0, "",
	       table_paint(colour, colours), (int)shown, text, cut ? "~" : "",
	       table_unpaint(colour, colours), right || last ? 0 : (int)blanks, "");
}

void table_print(const struct table *table, bool colours)
{
	unsigned widths[TABLE_COLUMNS_MAX];

	measure(table, widths);
	squeeze(table, widths);
	for (unsigned i = 0; i < table->column_count; i++)
		print_cell(table, i, widths[i], table->columns[i].title, COLOUR_NONE, false);
	putchar('\n');
	for (unsigned row = 0; row < table->row_count; row++) {
		for (unsigned i = 0; i < table->column_count; i++)
			print_cell(table, i, widths[i], table->rows[row][i].text,
			           table->rows[row][i].colour, colours);
		putchar('\n');
	}
}
