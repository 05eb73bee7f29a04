#include "../util/leaks.h"
#include "fcgi/params.h"
#include "util/cleanup.h"

static const struct fcgi_body nothing = { .fd = FD_NONE };
static struct fcgi_params params;

static const char *value(const char *name)
{
	const char *found = NULL;

	for (size_t i = 0; i < params.count; i++)
		if (strcmp(params.list[i].name, name) == 0) {
			assert_null(found);
			found = params.list[i].value;
		}
	return found;
}

static void assert_value(const char *name, const char *wanted)
{
	const char *got = value(name);

	if (!got || strcmp(got, wanted) != 0)
		fail_msg("%s is '%s', not '%s'", name, got ? got : "(none)", wanted);
}

static void test_a_script_and_its_query(void **state)
{
	static const struct {
		const char *script, *path, *query;
	} rows[] = {
		{ "/status", "/status", "" },
		{ "/status?json&full", "/status", "json&full" },
		{ "/a.php?", "/a.php", "" },
		{ "/a.php?b=?c", "/a.php", "b=?c" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(fcgi_params_make(rows[i].script, &nothing, NULL, 0, &params), 0);
		assert_value("SCRIPT_FILENAME", rows[i].path);
		assert_value("SCRIPT_NAME", rows[i].path);
		assert_value("QUERY_STRING", rows[i].query);
		assert_value("REQUEST_URI", rows[i].script);
		assert_value("REQUEST_METHOD", "GET");
		assert_null(value("CONTENT_LENGTH"));
		fcgi_params_done(&params);
	}
}

static void test_a_body_makes_a_post(void **state)
{
	const struct fcgi_body body = { .fd = STDIN_FILENO, .sized = true, .size = UINT64_MAX };

	(void)state;
	assert_int_equal(fcgi_params_make("/a", &body, NULL, 0, &params), 0);
	assert_value("REQUEST_METHOD", "POST");
	assert_value("CONTENT_LENGTH", "18446744073709551615");
	assert_value("CONTENT_TYPE", "application/x-www-form-urlencoded");
	fcgi_params_done(&params);
}

static void test_pairs_replace_and_add(void **state)
{
	char pairs[][32] = { "REQUEST_METHOD=PUT", "A=1=2", "A=", "QUERY_STRING=x",
		             "SCRIPT_NAME=/b" };
	char *list[ARRAY_SIZE(pairs)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		list[i] = pairs[i];
	assert_int_equal(fcgi_params_make("/a?b", &nothing, list, ARRAY_SIZE(list), &params), 0);
	assert_value("REQUEST_METHOD", "PUT");
	assert_value("A", "");
	assert_value("QUERY_STRING", "x");
	assert_value("SCRIPT_NAME", "/b");
	assert_value("SCRIPT_FILENAME", "/a");
	fcgi_params_done(&params);
	fcgi_params_done(&params);
}

static void test_as_many_pairs_as_there_are(void **state)
{
	static char pairs[1000][16];
	char *list[1000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		snprintf(pairs[i], sizeof(pairs[i]), "N%zu=%zu", i, i);
		list[i] = pairs[i];
	}
	assert_int_equal(fcgi_params_make("/a", &nothing, list, ARRAY_SIZE(list), &params), 0);
	assert_value("N0", "0");
	assert_value("N999", "999");
	assert_value("SCRIPT_NAME", "/a");
	fcgi_params_done(&params);
}

static void test_a_path_that_is_too_long(void **state)
{
	static char path[8192];

	(void)state;
	memset(path, '/', sizeof(path) - 1);
	assert_int_equal(fcgi_params_make(path, &nothing, NULL, 0, &params), -EMSGSIZE);
}

static void test_the_value_of_a_pair(void **state)
{
	(void)state;
	assert_string_equal(fcgi_params_value("A=1", "A"), "1");
	assert_string_equal(fcgi_params_value("A=", "A"), "");
	assert_null(fcgi_params_value("AB=1", "A"));
	assert_null(fcgi_params_value("A", "A"));
	assert_null(fcgi_params_value("A=1", "AB"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_script_and_its_query),  TEST(test_a_body_makes_a_post),
		TEST(test_pairs_replace_and_add),   TEST(test_as_many_pairs_as_there_are),
		TEST(test_a_path_that_is_too_long), TEST(test_the_value_of_a_pair),
	};

	return cmocka_run_group_tests_name("fcgi/params", tests, NULL, NULL);
}
