#include "cli/exposition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/text.h"

enum { MILLION = 1000000 };

static const char counter_suffix[] = "_total";

void exposition_init(struct exposition *exposition, const struct family *families, unsigned count)
{
	exposition->families = families;
	exposition->family_count = count;
	exposition->sample_count = 0;
}

/* What does not fit is left out whole. */
void labels_add(char labels[LABELS_SIZE], const char *name, const char *value)
{
	size_t length = strlen(labels);
	struct text text = text_init(labels + length, LABELS_SIZE - length);

	text_add(&text, "%s%s=\"", length > 0 ? "," : "", name);
	for (; *value; value++)
		if (*value == '\n')
			text_add(&text, "\\n");
		else
			text_add(&text, "%s%c", *value == '\\' || *value == '"' ? "\\" : "",
			         *value);
	text_add(&text, "\"");
	if (text.cut)
		labels[length] = '\0';
}

void exposition_add(struct exposition *exposition, unsigned family, const char *labels,
                    uint64_t value)
{
	struct sample *sample = &exposition->samples[exposition->sample_count];

	if (exposition->sample_count == SAMPLES_MAX)
		return;
	sample->family = family;
	sample->value = value;
	text_copy_cut(sample->labels, sizeof(sample->labels), labels);
	exposition->sample_count++;
}

static bool is_counter(const struct family *family)
{
	size_t length = strlen(family->name), suffix = strlen(counter_suffix);

	return length > suffix && strcmp(family->name + length - suffix, counter_suffix) == 0;
}

static void print_head(const struct family *family, bool open_metrics)
{
	bool counter = is_counter(family);
	int length = (int)strlen(family->name);

	if (counter && open_metrics)
		length -= (int)strlen(counter_suffix);
	printf("# HELP %.*s %s\n", length, family->name, family->help);
	printf("# TYPE %.*s %s\n", length, family->name, counter ? "counter" : "gauge");
}

static void print_sample(const struct family *family, const struct sample *sample)
{
	bool labels = sample->labels[0] != '\0';

	printf("%s%s%s%s ", family->name, labels ? "{" : "", sample->labels, labels ? "}" : "");
	if (family->is_fraction)
		printf("%" PRIu64 ".%06" PRIu64 "\n", sample->value / MILLION,
		       sample->value % MILLION);
	else
		printf("%" PRIu64 "\n", sample->value);
}

/* A family without samples is not there at all. */
static void print_family(const struct exposition *exposition, unsigned family, bool open_metrics)
{
	bool begun = false;

	for (unsigned i = 0; i < exposition->sample_count; i++) {
		const struct sample *sample = &exposition->samples[i];

		if (sample->family != family)
			continue;
		if (!begun)
			print_head(&exposition->families[family], open_metrics);
		begun = true;
		print_sample(&exposition->families[family], sample);
	}
}

void exposition_print(const struct exposition *exposition, bool open_metrics)
{
	for (unsigned i = 0; i < exposition->family_count; i++)
		print_family(exposition, i, open_metrics);
	if (open_metrics)
		puts("# EOF");
}
