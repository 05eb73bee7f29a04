/* fuzz.h - what every fuzz target defines, and ways to take the input apart. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Called for each input; what breaks a promise ends the program.  Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input. */
struct input {
	const uint8_t *at, *end;
};

static inline struct input input_of(const uint8_t *data, size_t size)
{
	return (struct input){ data, data + size };
}

/* The next byte; 0 at the end. */
static inline uint8_t input_byte(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

/* What comes before the next @separator, or the rest; the separator is skipped. */
static inline struct input input_until(struct input *input, uint8_t separator)
{
	struct input part = { input->at, input->end };
	const uint8_t *found = part.at < part.end
	                               ? memchr(part.at, separator, (size_t)(part.end - part.at))
	                               : NULL;

	if (found)
		part.end = found;
	input->at = found ? found + 1 : input->end;
	return part;
}

static inline size_t input_size(const struct input *input)
{
	return (size_t)(input->end - input->at);
}

/* The part as text in @to of @size bytes, cut where it does not fit.  Returns @to. */
static inline char *input_text(const struct input *input, char *to, size_t size)
{
	size_t length = input_size(input) < size - 1 ? input_size(input) : size - 1;

	if (length > 0)
		memcpy(to, input->at, length);
	to[length] = '\0';
	return to;
}
