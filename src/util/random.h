/* random.h - numbers that nobody guesses. */
#pragma once

#include <stdint.h>

/*
 * 64 random bits from the kernel.  Never blocks: before the kernel has any (getrandom(2), early in
 * a boot) it is the time, which makes names different but not secret.
 */
uint64_t random_number(void);
