#include "cli/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *allocate(size_t size)
{
	void *memory = malloc(size);

	if (memory)
		return memory;
	fprintf(stderr, "twinit: no memory for the answer\n");
	_exit(EXIT_FAILURE);
}

void json_begin(void)
{
	json_set_alloc_funcs(allocate, free);
}

json_t *text_json(const char *text)
{
	json_t *string = json_string(text);

	return string ? string : json_string("(not UTF-8)");
}

bool json_print(json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2));
	bool printed = text && puts(text) != EOF && fflush(stdout) == 0;

	if (!printed)
		fprintf(stderr, "twinit: cannot write the answer: %s\n", strerror(errno));
	free(text);
	json_decref(value);
	return printed;
}
