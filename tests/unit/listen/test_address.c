#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/un.h>

#include "../util/leaks.h"
#include "listen/address.h"

/* clang-format off */
static const struct {
	const char *says, *written;
	int family;
	bool any;
	const char *text, *key;
} good[] = {
	{ "a bare port is both families",     "9000",           AF_INET6, true,  "[::]:9000",      ":::9000"        },
	{ "... also with a star",             "*:9000",         AF_INET6, true,  "[::]:9000",      ":::9000"        },
	{ "... also with an empty host",      ":9000",          AF_INET6, true,  "[::]:9000",      ":::9000"        },
	{ "IPv4",                             "127.0.0.1:9000", AF_INET,  false, "127.0.0.1:9000", "127.0.0.1:9000" },
	{ "any IPv4",                         "0.0.0.0:9000",   AF_INET,  false, "0.0.0.0:9000",   "0.0.0.0:9000"   },
	{ "IPv6",                             "[::1]:9000",     AF_INET6, false, "[::1]:9000",     "::1:9000"       },
	{ "any IPv6 is IPv6 only",            "[::]:9000",      AF_INET6, false, "[::]:9000",      ":::9000"        },
	{ "IPv6 is written short",            "[0:0:0:0:0:0:0:1]:9000", AF_INET6, false, "[::1]:9000", "::1:9000"   },
	{ "IPv6 that holds an IPv4",          "[::ffff:10.0.0.1]:80", AF_INET6, false, "[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1:80" },
	{ "the longest IPv6",                 "[1111:2222:3333:4444:5555:6666:7777:8888]:65535", AF_INET6, false,
	  "[1111:2222:3333:4444:5555:6666:7777:8888]:65535", "1111:2222:3333:4444:5555:6666:7777:8888:65535" },
	{ "the first port",                   "1",              AF_INET6, true,  "[::]:1",         ":::1"           },
	{ "the last port",                    "127.0.0.1:65535", AF_INET, false, "127.0.0.1:65535", "127.0.0.1:65535" },
	{ "a path",                           "/run/php.sock",  AF_UNIX,  false, "/run/php.sock",  "/run/php.sock"  },
	{ "a path with a colon",              "/run/a:9000",    AF_UNIX,  false, "/run/a:9000",    "/run/a:9000"    },
};

static const struct {
	const char *says, *written;
} bad[] = {
	{ "nothing",                         ""                },
	{ "a name",                          "localhost:9000"  },
	{ "a name alone",                    "php"             },
	{ "a relative path",                 "run/php.sock"    },
	{ "port 0",                          "0"               },
	{ "a port that is too high",         "65536"           },
	{ "a port that would wrap around",   "4294976296"      },
	{ "a port beyond any number",        "99999999999999999999999" },
	{ "a negative port",                 "-9000"           },
	{ "a port with a plus",              "+9000"           },
	{ "a blank before the port",         " 9000"           },
	{ "a blank behind the port",         "9000 "           },
	{ "a port with letters",             "9000x"           },
	{ "a hexadecimal port",              "0x2328"          },
	{ "no port",                         "127.0.0.1:"      },
	{ "an address alone",                "127.0.0.1"       },
	{ "three numbers",                   "127.0.1:9000"    },
	{ "a number above 255",              "127.0.0.256:9000" },
	{ "IPv6 without brackets",           "::1:9000"        },
	{ "an open bracket",                 "[::1:9000"       },
	{ "a closing bracket alone",         "::1]:9000"       },
	{ "empty brackets",                  "[]:9000"         },
	{ "one bracket",                     "[:9000"          },
	{ "IPv4 in brackets",                "[127.0.0.1]:9000" },
	{ "a zone",                          "[fe80::1%lo]:9000" },
	{ "brackets with too much inside",   "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:9" },
	{ "IPv6 without a port",             "[::1]"           },
};
/* clang-format on */

static void test_each_good_form(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct address address = { 0 };
		char text[ADDRESS_TEXT_SIZE], key[ADDRESS_TEXT_SIZE];

		if (address_parse(good[i].written, &address) != 0)
			fail_msg("%s: refused", good[i].says);
		address_text(&address, text);
		address_key(&address, key);
		if (address.sockaddr.ss_family != good[i].family || address.any != good[i].any ||
		    strcmp(text, good[i].text) != 0 || strcmp(key, good[i].key) != 0)
			fail_msg("%s: got %s, %s, any: %d", good[i].says, text, key, address.any);
		assert_int_equal(address_is_unix(&address), good[i].family == AF_UNIX);
	}
}

static const struct address marked = {
	.length = 3, .any = true, .backlog = 5, .owner = 7, .group = 8, .mode = 0640
};

static void test_each_bad_form_changes_nothing(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct address address = marked;

		if (address_parse(bad[i].written, &address) != -EINVAL)
			fail_msg("%s: accepted", bad[i].says);
		if (memcmp(&address, &marked, sizeof(marked)) != 0)
			fail_msg("%s: changed something", bad[i].says);
	}
}

static void test_a_good_one_changes_the_address_only(void **state)
{
	struct address address = marked;

	(void)state;
	assert_int_equal(address_parse("127.0.0.1:9000", &address), 0);
	assert_false(address.any);
	assert_int_equal(address.length, sizeof(struct sockaddr_in));
	assert_int_equal(address.backlog, 5);
	assert_int_equal(address.owner, 7);
	assert_int_equal(address.group, 8);
	assert_int_equal(address.mode, 0640);
}

static void test_nothing_of_the_last_address_remains(void **state)
{
	struct address address = { 0 }, fresh = { 0 };

	(void)state;
	assert_int_equal(address_parse("/a/long/path/of/a/socket", &address), 0);
	assert_int_equal(address_parse("[::1]:9000", &address), 0);
	assert_int_equal(address_parse("[::1]:9000", &fresh), 0);
	assert_memory_equal(&address, &fresh, sizeof(fresh));
}

static void test_a_path_is_as_long_as_a_sockets_may_be(void **state)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1], text[ADDRESS_TEXT_SIZE];
	struct address address = { 0 };

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 2] = '\0';
	assert_int_equal(address_parse(path, &address), 0);
	assert_string_equal(address_path(&address), path);
	address_text(&address, text);
	assert_string_equal(text, path);
	path[sizeof(path) - 2] = 'x';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(address_parse(path, &address), -EINVAL);
}

static void test_a_host_longer_than_any_is_refused(void **state)
{
	char written[2 * ADDRESS_TEXT_SIZE];
	struct address address = { 0 };

	(void)state;
	memset(written, '1', sizeof(written));
	strcpy(written + sizeof(written) - sizeof(":9000"), ":9000");
	assert_int_equal(address_parse(written, &address), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_good_form),
		TEST(test_each_bad_form_changes_nothing),
		TEST(test_a_good_one_changes_the_address_only),
		TEST(test_nothing_of_the_last_address_remains),
		TEST(test_a_path_is_as_long_as_a_sockets_may_be),
		TEST(test_a_host_longer_than_any_is_refused),
	};

	return cmocka_run_group_tests_name("listen/address", tests, NULL, NULL);
}
