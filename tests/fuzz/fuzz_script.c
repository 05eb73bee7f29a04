/* session/script.h as bytes: what it accepts is text that can be shown and sent back. */
#include "fuzz.h"

#include "session/script.h"

static void check_text(const char *text, size_t size)
{
	assert(strnlen(text, size) < size);
	for (; *text; text++)
		assert(*text >= ' ' && *text <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script_answer answer;

	memset(&answer, 'x', sizeof(answer));
	if (script_read((const char *)data, size, &answer) < 0)
		return 0;
	check_text(answer.id, sizeof(answer.id));
	check_text(answer.value, sizeof(answer.value));
	check_text(answer.problem, sizeof(answer.problem));
	assert(!strpbrk(answer.id, "&=% "));
	return 0;
}
