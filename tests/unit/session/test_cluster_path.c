/* session.save_path of the handler rediscluster, and where a cluster sends us. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "session/cluster_path.h"
#include "session/follow.h"
#include "util/text.h"

#define T "&timeout=2&read_timeout=5"

static const struct row {
	const char *says;
	const char *path;
	const char *seeds;    /* "tcp a:1 b:2"; NULL: refused */
	const char *sentence; /* a part of the trap or of the refusal; NULL: no trap */
} rows[] = {
	/* clang-format off */
	{ "two seeds", "seed[]=a:1&seed[]=b:2" T, "tcp a:1, tcp b:2", NULL },
	{ "a seed with a key", "seed[x]=a:1" T, "tcp a:1", NULL },
	{ "seeds after options", "timeout=2&read_timeout=5&seed[]=a:1", "tcp a:1", NULL },
	{ "an encoded seed", "seed%5B%5D=a%3A1" T, "tcp a:1", NULL },
	{ "a scheme", "seed[]=tcp://a:1" T, "tcp a:1", NULL },
	{ "TLS", "seed[]=tls://a:1" T, "tls a:1", NULL },
	{ "IPv6", "seed[]=::1:7000" T, "tcp ::1:7000", NULL },
	{ "IPv6 in brackets", "seed[]=[::1]:7000" T, "tcp ::1:7000", "before 6.0" },
	{ "all that is known", "seed[]=a:1&persistent=1&failover=error&prefix=x:&auth=secret&stream[cafile]=/x" T, "tcp a:1", NULL },
	{ "no timeouts", "seed[]=a:1", "tcp a:1", "without timeout=" },
	{ "no read_timeout", "seed[]=a:1&timeout=1", "tcp a:1", "without read_timeout=" },
	{ "an unknown option", "seed[]=a:1&database=2" T, "tcp a:1", "does not know (a & in a password is written %26): database" },
	{ "... that may be a password", "seed[]=a:1&auth=x&secret=1" T, "tcp a:1", "does not know" },
	{ "auth[] with three entries", "seed[]=a:1&auth[]=a&auth[]=b&auth[]=c" T, "tcp a:1", "ignores auth[]" },
	{ "nothing", "", NULL, "names no seed" },
	{ "a URL", "tcp://a:1", NULL, "names no seed" },
	{ "no port", "seed[]=a" T, NULL, "seed 1 of session.save_path has no port" },
	{ "port 0 is the usual one", "seed[]=a:0" T, "tcp a:6379", NULL },
	{ "so is what is no number", "seed[]=a:x" T, "tcp a:6379", NULL },
	{ "a port above 65535", "seed[]=a:65536" T, NULL, "a port that no server has" },
	{ "a negative port", "seed[]=a:-1" T, NULL, "a port that no server has" },
	{ "a seed that is no list", "seed=a:1" T, NULL, "is no list" },
	{ "a strange host", "seed[]=a/b:1" T, NULL, "characters that no host name has" },
	{ "two colons", "seed[]=a:b:1" T, NULL, "characters that no host name has" },
	{ "an empty host", "seed[]=:1" T, NULL, "characters that no host name has" },
	{ "a NUL", "seed[]=a%00:1" T, NULL, "%00" },
	{ "a negative timeout", "seed[]=a:1&timeout=-1", NULL, "below 0" },
	{ "an empty user", "seed[]=a:1&auth[]=&auth[]=secret" T, NULL, "empty user" },
	{ "seventeen seeds", "seed[]=a:1&seed[]=a:1&seed[]=a:1&seed[]=a:1&seed[]=a:1&seed[]=a:1&seed[]=a:1&seed[]=a:1&seed[]=a:1&"
	  "seed[]=a:1&seed[]=a:1&seed[]=a:1&seed[]=a:1&seed[]=a:1&seed[]=a:1&seed[]=a:1&seed[]=a:1" T, NULL, "more than the 16 seeds" },
	/* clang-format on */
};

static void print_seeds(const struct save_path *path, char *to, size_t size)
{
	struct text text = text_init(to, size);

	for (size_t i = 0; i < path->count; i++)
		text_add(&text, "%s%s %s:%u", i ? ", " : "", path->stores[i].tls ? "tls" : "tcp",
		         path->stores[i].host, path->stores[i].port);
}

static void check_row(const struct row *row)
{
	struct save_path path;
	char why[512] = "", seeds[512];
	int r = cluster_path_parse(row->path, &path, why, sizeof(why));

	print_seeds(&path, seeds, sizeof(seeds));
	if (r != (row->seeds ? 0 : -EINVAL))
		fail_msg("%s: got %d, '%s'", row->says, r, why);
	if (row->seeds && strcmp(seeds, row->seeds) != 0)
		fail_msg("%s: reads '%s'", row->says, seeds);
	const char *sentence = row->seeds ? path.trap : why;
	if (row->sentence ? !strstr(sentence, row->sentence) : sentence[0] != '\0')
		fail_msg("%s: says '%s'", row->says, sentence);
	if (strstr(sentence, "secret"))
		fail_msg("%s: shows a password: '%s'", row->says, sentence);
}

static void test_rows(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&rows[i]);
}

static void test_what_seeds_share(void **state)
{
	(void)state;
	struct save_path path;
	char why[512];

	assert_int_equal(
		cluster_path_parse("seed[]=a:1&auth[]=u&auth[]=p%26w&prefix=x:&seed[]=b:2" T, &path,
	                           why, sizeof(why)),
		0);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(path.stores[i].user, "u");
		assert_string_equal(path.stores[i].password, "p&w");
		assert_string_equal(path.stores[i].prefix, "x:");
		assert_int_equal(path.stores[i].database, -1);
		assert_true(path.stores[i].timeout_s == 2 && path.stores[i].read_timeout_s == 5);
	}
	assert_int_equal(cluster_path_parse("seed[]=a:1" T, &path, why, sizeof(why)), 0);
	assert_string_equal(path.stores[0].prefix, "PHPREDIS_CLUSTER_SESSION:");
	assert_false(path.stores[0].has_auth);
}

static const struct {
	const char *words;
	const char *where; /* NULL: no redirection */
} redirections[] = {
	{ "MOVED 3999 10.0.0.1:6381", "10.0.0.1:6381" },
	{ "ASK 3999 10.0.0.1:6381", "10.0.0.1:6381 once" },
	{ "MOVED 3999 ::1:6381", "::1:6381" },
	{ "MOVED 3999 redis-1.example:6381", "redis-1.example:6381" },
	{ "MOVED 3999 :6381", NULL },
	{ "MOVED 3999 ?:6381", NULL },
	{ "MOVED 3999 10.0.0.1", NULL },
	{ "MOVED 3999 10.0.0.1:0", NULL },
	{ "MOVED 3999 10.0.0.1:x", NULL },
	{ "MOVED 3999", NULL },
	{ "MOVED ", NULL },
	{ "MOVED 1:2", NULL },
	{ "MOVEDx 3999 10.0.0.1:6381", NULL },
	{ "ERR 3999 10.0.0.1:6381", NULL },
	{ "", NULL },
};

static void test_redirections(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(redirections); i++) {
		struct redirection to;
		char where[STORE_HOST_SIZE + 32] = "";
		struct text text = TEXT(where);
		bool is = follow_parse(redirections[i].words, &to);

		if (is != (redirections[i].where != NULL))
			fail_msg("'%s' is %sread", redirections[i].words, is ? "" : "not ");
		if (!is)
			continue;
		text_add(&text, "%s:%u%s", to.host, to.port, to.ask ? " once" : "");
		assert_string_equal(where, redirections[i].where);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_what_seeds_share),
		cmocka_unit_test(test_redirections),
	};
	return cmocka_run_group_tests_name("cluster_path", tests, NULL, NULL);
}
