/* value.h - strings as PHP and phpredis convert them.  Pure. */
#pragma once

#include <stdbool.h>

#include "session/savepath.h"

/* What PHP has for one name of the query. */
struct value {
	bool set;
	bool array; /* by name[...]; its text is that of the last entry */
	char text[STORE_AUTH_SIZE];
};

/* The number that the text begins with, 0 when it begins with none, 1 for an array. */
double value_number(const struct value *value);

/* True when nothing follows that number; false for a text that begins with none. */
bool value_is_number(const struct value *value);

/* The low 32 bits of the number as a PHP integer, which is what phpredis stores. */
int value_int(const struct value *value);

/* True for what phpredis takes as yes: "1", "true" and "yes", in any case. */
bool value_is_true(const struct value *value);
