#include "rollout/backoff.h"

uint32_t backoff_ms(unsigned crashes)
{
	uint32_t wait = BACKOFF_FIRST_MS;

	while (crashes > 1 && wait < BACKOFF_MOST_MS) {
		wait *= 2;
		crashes--;
	}
	return wait < BACKOFF_MOST_MS ? wait : BACKOFF_MOST_MS;
}

unsigned backoff_count(unsigned crashes, uint64_t lived_ms)
{
	return lived_ms >= BACKOFF_FORGIVEN_MS ? 1 : crashes + 1;
}
