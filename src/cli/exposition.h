/*
 * exposition.h - numbers for Prometheus as text: samples are added in any order and printed by
 * family, as both text formats want them.  Knows nothing of what the numbers mean.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LABELS_SIZE = 384, SAMPLES_MAX = 8192 };

struct family {
	const char *name; /* a counter's ends with _total, no other does */
	const char *help;
	bool is_fraction; /* its samples are millionths */
};

struct sample {
	unsigned family;
	char labels[LABELS_SIZE];
	uint64_t value;
};

struct exposition {
	const struct family *families;
	unsigned family_count;
	unsigned sample_count;
	struct sample samples[SAMPLES_MAX];
};

/* Nothing; @families are borrowed. */
void exposition_init(struct exposition *exposition, const struct family *families, unsigned count);

/* Append a label to those in @labels, which is "" without any. */
void labels_add(char labels[LABELS_SIZE], const char *name, const char *value);

/* One more sample of families[@family]; beyond SAMPLES_MAX it is left out. */
void exposition_add(struct exposition *exposition, unsigned family, const char *labels,
                    uint64_t value);

/*
 * Print all to stdout, in Prometheus's text format, or as OpenMetrics 1.0: there the family of a
 * counter has a name without _total, and the end is marked.
 */
void exposition_print(const struct exposition *exposition, bool open_metrics);
