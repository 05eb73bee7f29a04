#include "../util/leaks.h"
#include "fcgi/address.h"
#include "util/macros.h"

static const struct row {
	const char *text;
	bool local;
	const char *host, *port, *path;
} good[] = {
	{ "9000", false, "", "9000", "" },
	{ ":9000", false, "", "9000", "" },
	{ "*:1", false, "", "1", "" },
	{ "[]:1", false, "", "1", "" },
	{ "php:65535", false, "php", "65535", "" },
	{ "127.0.0.1:9000", false, "127.0.0.1", "9000", "" },
	{ "[::1]:9000", false, "::1", "9000", "" },
	{ "[fe80::1%eth0]:9000", false, "fe80::1%eth0", "9000", "" },
	{ "/run/php.sock", true, "", "", "/run/php.sock" },
	{ "/run/php:9000", true, "", "", "/run/php:9000" },
	{ "./php.sock", true, "", "", "./php.sock" },
	{ "unix:/run/php.sock", true, "", "", "/run/php.sock" },
	{ "unix:php.sock", true, "", "", "php.sock" },
};

static const char *const bad[] = {
	"",     "0",     "65536",     "999999999999", "9000 ",     "+1",        "-1",
	"0x50", "php",   "localhost", "php:",         "php:0",     "php:9000x", "[::1]",
	":",    "unix:", "::1:9000",  "[::1:9000",    "::1]:9000", "a:b:1",
};

static void test_addresses(void **state)
{
	struct fcgi_address got;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		const struct row *row = &good[i];
		const char *wrong = fcgi_address_parse(row->text, &got);

		if (wrong)
			fail_msg("'%s': %s", row->text, wrong);
		assert_int_equal(got.local, row->local);
		assert_string_equal(got.host, row->host);
		assert_string_equal(got.port, row->port);
		assert_string_equal(got.un.sun_path, row->path);
	}
}

static void test_what_is_no_address(void **state)
{
	struct fcgi_address got;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!fcgi_address_parse(bad[i], &got))
			fail_msg("'%s' is none", bad[i]);
}

static void test_the_longest_addresses(void **state)
{
	struct fcgi_address got;
	char text[512] = "/";

	(void)state;
	memset(text + 1, 'x', 106);
	assert_null(fcgi_address_parse(text, &got));
	assert_string_equal(got.un.sun_path, text);
	text[107] = 'x';
	assert_non_null(fcgi_address_parse(text, &got));

	memset(text, 'x', 255);
	strcpy(text + 255, ":9000");
	assert_null(fcgi_address_parse(text, &got));
	assert_int_equal(strlen(got.host), 255);
	strcpy(text + 255, "x:9000");
	assert_non_null(fcgi_address_parse(text, &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_addresses),
		TEST(test_what_is_no_address),
		TEST(test_the_longest_addresses),
	};

	return cmocka_run_group_tests_name("fcgi/address", tests, NULL, NULL);
}
