#include <stdlib.h>
#include <string.h>

#include "../util/captured.h"
#include "cli/exposition.h"
#include "util/macros.h"

static const struct family families[] = {
	{ "apples_total", "Apples.", false },
	{ "weight_grams", "Weight.", true },
	{ "pears", "Pears.", false },
};

static struct exposition exposition;

static void print(const void *open_metrics)
{
	exposition_print(&exposition, *(const bool *)open_metrics);
}

static void fill(void)
{
	char labels[LABELS_SIZE] = "";

	exposition_init(&exposition, families, ARRAY_SIZE(families));
	labels_add(labels, "tree", "a\"b\\c\nd");
	exposition_add(&exposition, 1, labels, 1500001);
	exposition_add(&exposition, 0, labels, 3);
	exposition_add(&exposition, 1, "", 7);
}

static void test_families_are_together_and_empty_ones_are_not_there(void **state)
{
	char text[1024];

	(void)state;
	fill();
	capture(print, &(bool){ false }, text, sizeof(text));
	assert_string_equal(text, "# HELP apples_total Apples.\n# TYPE apples_total counter\n"
	                          "apples_total{tree=\"a\\\"b\\\\c\\nd\"} 3\n"
	                          "# HELP weight_grams Weight.\n# TYPE weight_grams gauge\n"
	                          "weight_grams{tree=\"a\\\"b\\\\c\\nd\"} 1.500001\n"
	                          "weight_grams 0.000007\n");
}

static void test_open_metrics_names_counters_without_total_and_has_an_end(void **state)
{
	char text[1024];

	(void)state;
	fill();
	capture(print, &(bool){ true }, text, sizeof(text));
	assert_non_null(strstr(text, "# TYPE apples counter\napples_total{"));
	assert_string_equal(text + strlen(text) - strlen("# EOF\n"), "# EOF\n");
}

static void test_a_label_that_does_not_fit_is_left_out_whole(void **state)
{
	char labels[LABELS_SIZE] = "", value[LABELS_SIZE];

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	labels_add(labels, "a", "1");
	labels_add(labels, "b", value);
	assert_string_equal(labels, "a=\"1\"");
	labels_add(labels, "c", "2");
	assert_string_equal(labels, "a=\"1\",c=\"2\"");
}

static void test_what_is_too_much_is_left_out(void **state)
{
	(void)state;
	exposition_init(&exposition, families, ARRAY_SIZE(families));
	for (unsigned i = 0; i < SAMPLES_MAX + 1; i++)
		exposition_add(&exposition, 0, "", i);
	assert_int_equal(exposition.sample_count, SAMPLES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_families_are_together_and_empty_ones_are_not_there),
		TEST(test_open_metrics_names_counters_without_total_and_has_an_end),
		TEST(test_a_label_that_does_not_fit_is_left_out_whole),
		TEST(test_what_is_too_much_is_left_out),
	};

	return cmocka_run_group_tests_name("cli/exposition", tests, NULL, NULL);
}
