#include "session/sample.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/text.h"

static void make_noise(unsigned char noise[2 * SAMPLE_RANDOM])
{
	if (getrandom(noise, 2 * SAMPLE_RANDOM, GRND_NONBLOCK) == 2 * SAMPLE_RANDOM)
		return;
	uint64_t now = clock_us(), pid = (uint64_t)getpid();

	memcpy(noise, &now, SAMPLE_RANDOM);
	memcpy(noise + SAMPLE_RANDOM, &pid, SAMPLE_RANDOM);
}

void sample_make(struct sample *sample, const char *prefix)
{
	unsigned char noise[2 * SAMPLE_RANDOM];
	struct text key = TEXT(sample->key), value = TEXT(sample->value);
	struct text lock = TEXT(sample->lock);

	make_noise(noise);
	text_add(&key, "%s__twinit:probe:", prefix);
	for (size_t i = 0; i < SAMPLE_RANDOM; i++) {
		text_add(&key, "%02x", noise[i]);
		text_add(&value, "%02x", noise[SAMPLE_RANDOM + i]);
	}
	text_add(&lock, "%s_LOCK", sample->key);
}
