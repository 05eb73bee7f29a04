/*
 * deaths.h - what FPM's log says of workers that died unasked.  Pure; fuzzed.
 *
 * Only the master learns how a worker ended, and all it does is to write a line (fpm_children.c):
 *
 *     [...] WARNING: [pool www] child 4711 exited on signal 11 (SIGSEGV) after 0.2 seconds from
 * start
 *     [...] WARNING: [pool www] child 4711 exited with code 255 after 0.2 seconds from start
 *
 * What ended on the signals by which FPM or somebody else ends a worker, or with code 0, was asked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { DEATHS_LINE_SIZE = 256 };

/* A log as it grows; zero-initialised. */
struct deaths {
	char line[DEATHS_LINE_SIZE]; /* how the line at hand begins */
	size_t length;
};

/* Feed @size bytes of the log, in any pieces; returns how many deaths their whole lines tell of. */
unsigned deaths_feed(struct deaths *deaths, const char *data, size_t size);
