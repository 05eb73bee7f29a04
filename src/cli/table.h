/* table.h - columns of text as wide as what is in them, and together no wider than a terminal. */
#pragma once

#include <stdbool.h>

#include "util/macros.h"

enum {
	TABLE_COLUMNS_MAX = 12,
	TABLE_ROWS_MAX = 2048,
	TABLE_CELL_SIZE = 128,
	TABLE_WIDTH = 80,
};

enum table_colour {
	COLOUR_NONE,
	COLOUR_GOOD,
	COLOUR_DOUBT,
	COLOUR_BAD,
};

struct table_cell {
	char text[TABLE_CELL_SIZE];
	enum table_colour colour;
};

struct table_column {
	const char *title;
	bool right;     /* numbers */
	unsigned least; /* may be cut to so many characters; 0: never */
};

struct table {
	const struct table_column *columns;
	unsigned column_count;
	unsigned row_count;
	struct table_cell rows[TABLE_ROWS_MAX][TABLE_COLUMNS_MAX];
};

/* An empty table; @columns are borrowed. */
void table_init(struct table *table, const struct table_column *columns, unsigned count);

/* One more row, of empty cells; NULL when there is no place. */
struct table_cell *table_row(struct table *table);

/* Write to a cell; what does not fit is cut. */
PRINTF_LIKE(2, 3) void cell_set(struct table_cell *cell, const char *format, ...);

/*
 * Print the titles and all rows.  What is wider than TABLE_WIDTH loses the ends of texts in columns
 * that may be cut, the widest first; '~' is in their place.
 */
void table_print(const struct table *table, bool colours);

/* Does stdout want colours?  A terminal does, unless NO_COLOR is set or it is a dumb one. */
bool table_colours(void);

/* @text between the codes of @colour, if @colours; to be printed at once. */
const char *table_paint(enum table_colour colour, bool colours);
const char *table_unpaint(enum table_colour colour, bool colours);
