#include "util/random.h"

#include <sys/random.h>

#include "util/clock.h"

uint64_t random_number(void)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
		number = clock_us();
	return number;
}
