/*
 * fpm/deaths.h as bytes: what is counted does not depend on the pieces in which it comes, and a
 * line tells of one death at most.
 */
#include "fuzz.h"

#include "fpm/deaths.h"

static unsigned in_pieces(const char *log, size_t size, size_t piece)
{
	struct deaths deaths = { 0 };
	unsigned count = 0;

	for (size_t at = 0; at < size; at += piece)
		count += deaths_feed(&deaths, log + at, size - at < piece ? size - at : piece);
	assert(deaths.length < sizeof(deaths.line));
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *log = (const char *)data + 1;
	unsigned lines = 0;

	if (size < 2 || data[0] == 0)
		return 0;
	for (size_t i = 0; i < size - 1; i++)
		lines += log[i] == '\n';
	unsigned whole = in_pieces(log, size - 1, size - 1);
	assert(whole <= lines);
	assert(in_pieces(log, size - 1, data[0]) == whole);
	return 0;
}
