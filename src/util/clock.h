/* clock.h - time for deadlines and ages. */
#pragma once

#include <stdint.h>

/* Milliseconds and microseconds of CLOCK_BOOTTIME, which suspended machines do not stop. */
uint64_t clock_ms(void);
uint64_t clock_us(void);
