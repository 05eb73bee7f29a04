/* captured.h - what a function prints, as text. */
#pragma once

#include <stdio.h>
#include <unistd.h>

#include "leaks.h"

/* Fill @to, of @size bytes, with what @print writes to stdout. */
static inline void capture(void (*print)(const void *context), const void *context, char *to,
                           size_t size)
{
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);

	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	print(context);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(file);
	to[fread(to, 1, size - 1, file)] = '\0';
	fclose(file);
}
