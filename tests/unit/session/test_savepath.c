/*
 * What phpredis makes of session.save_path.  The rows were compared with phpredis 5.3.7 (what it
 * connects to and sends); "secret" stands for a password and must never be in a sentence.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "session/savepath.h"
#include "util/text.h"

#define T       "timeout=1&read_timeout=1"
#define REFUSED NULL
#define NO_TRAP NULL

static const struct row {
	const char *says;
	const char *text;
	const char *reads;    /* as describe() says it; REFUSED */
	const char *sentence; /* a part of the trap or of the refusal; NO_TRAP */
} rows[] = {
	/* clang-format off */
	/* where it leads */
	{ "tcp with a port", "tcp://h:7000?" T, "tcp h:7000", NO_TRAP },
	{ "the port is 6379 by default", "tcp://h?" T, "tcp h:6379", NO_TRAP },
	{ "port 0 is no port", "tcp://h:0?" T, "tcp h:6379", NO_TRAP },
	{ "an empty port is no port", "tcp://h:?" T, "tcp h:6379", NO_TRAP },
	{ "PHP reads a port like strtol", "tcp://h:80x?" T, "tcp h:80", NO_TRAP },
	{ "... a sign too", "tcp://h:+80?" T, "tcp h:80", NO_TRAP },
	{ "a port above 65535 is no URL", "tcp://h:65536", REFUSED, "no URL that PHP can parse" },
	{ "a port of six digits is no URL", "tcp://h:100000", REFUSED, "no URL" },
	{ "a negative port is no URL", "tcp://h:-1", REFUSED, "no URL" },
	{ "a bare name is a host", "h", "tcp h:6379", "tcp://h:6379?timeout=2&read_timeout=5" },
	{ "a bare name may have options", "h?" T, "tcp h:6379", NO_TRAP },
	{ "name and port without options are fine", "h:7000", "tcp h:7000", "without timeout=" },
	{ "a slash after the port makes options fine", "h:7000/?" T, "tcp h:7000", NO_TRAP },
	{ "two slashes and no scheme", "//h:7000?" T, "tcp h:7000", NO_TRAP },
	{ "an underscore is fine", "tcp://my_redis:7000?" T, "tcp my_redis:7000", NO_TRAP },
	{ "capitals in a host are fine", "tcp://H?" T, "tcp H:6379", NO_TRAP },
	{ "an IPv4 address", "tcp://10.0.1.3:7000?" T, "tcp 10.0.1.3:7000", NO_TRAP },
	{ "tls", "tls://h:7000?" T, "tls h:7000", NO_TRAP },
	{ "ssl is tls", "ssl://h?" T, "tls h:6379", NO_TRAP },
	{ "tlsv1.2 is tls", "tlsv1.2://h?" T, "tls h:6379", NO_TRAP },
	{ "tlsv1.9 is nothing", "tlsv1.9://h", REFUSED, "no transport" },
	{ "PHP knows schemes in small letters only", "TCP://h:7000", REFUSED, "\"tcp://h:7000?" },
	{ "redis:// is no transport of PHP", "redis://h:7000", REFUSED, "\"tcp://h:7000?" },
	{ "... and its database is not lost in the advice", "redis://h/2", REFUSED, "database=2" },
	{ "... nor is its login", "redis://:secret@h/2", REFUSED, "auth=PASSWORD" },
	{ "rediss:// means tls", "rediss://h:7000", REFUSED, "\"tls://h:7000?" },
	{ "http:// is no transport either", "http://h", REFUSED, "no transport" },
	{ "udp:// is of no use", "udp://h", REFUSED, "no transport" },

	/* host:port?options without scheme */
	{ "the port becomes the host", "redis:6379?database=2", REFUSED, "host named '6379'" },
	{ "... and the line to write is said", "redis:6379?database=2", REFUSED, "\"tcp://redis:6379?timeout=2&read_timeout=5&database=2\"" },
	{ "... without the password", "redis:6379?auth=secret", REFUSED, "&auth=PASSWORD\"" },
	{ "... with user and password", "redis:6379?auth[]=u&auth[]=secret", REFUSED, "&auth[]=USER&auth[]=PASSWORD\"" },
	{ "... with the prefix", "redis:6379?prefix=a:b", REFUSED, "&prefix=a:b\"" },
	{ "... unless it may hold a password", "redis:6379?prefix=a?auth=secret", REFUSED, "&prefix=PREFIX\"" },
	{ "an address is misread too", "127.0.0.1:6379?" T, REFUSED, "\"tcp://127.0.0.1:6379?" },
	{ "a name with underscore is misread in another way", "my_redis:6379?x=1", REFUSED, "\"tcp://my_redis:6379?" },
	{ "a fragment has the same effect", "h:6379#x", REFUSED, "host named '6379'" },
	{ "a login without scheme is not shown", "u:secret@h:6379?x=1", REFUSED, "scheme without //" },
	{ "a bare number is no host", "tcp://6379", REFUSED, "bare number" },
	{ "... with or without scheme", "6379?" T, REFUSED, "bare number" },
	{ "tcp: without slashes is read by luck", "tcp:h?" T, "tcp h:6379", "by luck" },
	{ "tls: without slashes is not encrypted", "tls:h?" T, REFUSED, "scheme without //" },
	{ "one slash is a path", "tcp:/h", REFUSED, "one slash where two belong" },
	{ "three slashes are no URL", "tcp:///h", REFUSED, "no URL" },
	{ "slash without scheme is a part of the host", "h/2", REFUSED, "database=N" },
	{ "a scheme alone", "tcp:", REFUSED, "names no host" },
	{ "options alone", "?database=2", REFUSED, "names no host" },
	{ "a colon alone", ":", REFUSED, "no URL" },
	{ "characters that no host has", "tcp://h*:7000", REFUSED, "characters that no host name has" },
	{ "hosts are not decoded", "tcp://h%41:7000", REFUSED, "characters" },
	{ "rediscluster's syntax", "seed[]=h:1&seed[]=i:2", REFUSED, "rediscluster" },

	/* IPv6 */
	{ "an IPv6 address with its port", "tcp://::1:7000?" T, "tcp ::1:7000", NO_TRAP },
	{ "brackets are a trap before 6.0", "tcp://[::1]:7000?" T, "tcp ::1:7000", "\"tcp://::1:7000?" },
	{ "brackets without port", "tcp://[::1]?" T, "tcp ::1:6379", "before 6.0" },
	{ "brackets and no scheme", "[::1]:7000", REFUSED, "tcp://::1:6379" },
	{ "brackets around a name are taken off", "tcp://[h]:7000?" T, "tcp h:7000", NO_TRAP },
	{ "brackets around nonsense", "tcp://[h:]:7000", REFUSED, "no IPv6 address" },
	{ "an address without port loses its end", "tcp://fe80::1?" T, REFUSED, "with its port" },
	{ "a bare address is taken whole", "::1?" T, "tcp ::1:6379", "all of it for the address" },

	/* unix sockets */
	{ "a path", "/run/redis.sock?" T, "unix /run/redis.sock", NO_TRAP },
	{ "unix: and a path", "unix:/run/redis.sock?" T, "unix /run/redis.sock", NO_TRAP },
	{ "unix:// and a path", "unix:///run/redis.sock?" T, "unix /run/redis.sock", NO_TRAP },
	{ "file:// is the same", "file:///run/redis.sock?" T, "unix /run/redis.sock", NO_TRAP },
	{ "a connect timeout does not matter there", "unix:///s?read_timeout=1", "unix /s", NO_TRAP },
	{ "a read timeout does", "unix:///s", "unix /s", "default_socket_timeout" },
	{ "two slashes make it a host", "unix://run/redis.sock", REFUSED, "three slashes" },
	{ "a relative path is a host", "unix:redis.sock", REFUSED, "scheme without //" },
	{ "a port after unix:", "unix:7000", REFUSED, "three slashes" },
	{ "a colon and digits after a path are no URL", "/s:1", REFUSED, "no URL" },
	{ "options without ? would be shown as a path", "/s&auth=secret", REFUSED, "no ? between" },

	/* lists */
	{ "a comma separates", "tcp://h?" T ",tcp://i?" T, "tcp h:6379 | tcp i:6379", NO_TRAP },
	{ "blanks separate", "tcp://h?" T " \t\r\ntcp://i?" T, "tcp h:6379 | tcp i:6379", NO_TRAP },
	{ "separators may be many", ",, tcp://h?" T " ,", "tcp h:6379", NO_TRAP },
	{ "a semicolon does not separate", "tcp://h:1;tcp://i:2", REFUSED, "';'" },
	{ "one bad part spoils the list", "tcp://h?" T ",redis:1?x", REFUSED, "part 2 " },
	{ "nothing", "", REFUSED, "is empty" },
	{ "nothing but separators", " , ", REFUSED, "is empty" },
	{ "a comma cuts a password", "tcp://h?auth=pass,secret", REFUSED, "%2C" },
	{ "... also where the rest has a port", "tcp://h?auth=pass,secret:1", REFUSED, "%2C" },
	{ "a blank cuts a password", "tcp://h?auth=pass secret", REFUSED, "%20" },
	{ "... in an option that means auth", "tcp://h?password=pass,secret", REFUSED, "%2C" },
	{ "a comma cuts a login", "tcp://u:12,secret@h", REFUSED, "no host name has" },
	{ "stores with auth= each", "tcp://h?auth=secret&" T ",tcp://i?" T, "tcp h:6379 auth=:secret | tcp i:6379", NO_TRAP },

	/* logging in */
	{ "a password", "tcp://h?auth=secret&" T, "tcp h:6379 auth=:secret", NO_TRAP },
	{ "a password as a list of one", "tcp://h?auth[]=secret&" T, "tcp h:6379 auth=:secret", NO_TRAP },
	{ "user and password", "tcp://h?auth[]=u&auth[]=secret&" T, "tcp h:6379 auth=u:secret", NO_TRAP },
	{ "user and password by name", "tcp://h?auth[pass]=secret&auth[user]=u&" T, "tcp h:6379 auth=u:secret", NO_TRAP },
	{ "user and password by number", "tcp://h?auth[1]=secret&auth[0]=u&" T, "tcp h:6379 auth=u:secret", NO_TRAP },
	{ "the password alone by name", "tcp://h?auth[pass]=secret&" T, "tcp h:6379 auth=:secret", NO_TRAP },
	{ "brackets may be encoded", "tcp://h?auth%5B%5D=secret&" T, "tcp h:6379 auth=:secret", NO_TRAP },
	{ "names win over numbers", "tcp://h?auth[]=u&auth[pass]=secret&" T, "tcp h:6379 auth=u:secret", NO_TRAP },
	{ "auth[password] is not known", "tcp://h?auth[user]=u&auth[password]=secret&" T, "tcp h:6379", "does not log in" },
	{ "a user alone is ignored", "tcp://h?auth[user]=u&" T, "tcp h:6379", "does not log in" },
	{ "three entries are ignored", "tcp://h?auth[]=u&auth[]=secret&auth[]=x&" T, "tcp h:6379", "does not log in" },
	{ "a list replaces a password", "tcp://h?auth=x&auth[]=secret&" T, "tcp h:6379 auth=:secret", NO_TRAP },
	{ "a password replaces a list", "tcp://h?auth[]=x&auth=secret&" T, "tcp h:6379 auth=:secret", NO_TRAP },
	{ "a list goes on after its highest number", "tcp://h?auth[5]=x&auth[]=secret&" T, "tcp h:6379", "does not log in" },
	{ "a list in a list is the word Array", "tcp://h?auth[][x]=secret&" T, "tcp h:6379 auth=:Array", NO_TRAP },
	{ "a plus is a blank", "tcp://h?auth=a+b&" T, "tcp h:6379 auth=:a b", NO_TRAP },
	{ "an encoded plus is a plus", "tcp://h?auth=a%2Bb&" T, "tcp h:6379 auth=:a+b", NO_TRAP },
	{ "a percent sign that encodes nothing stays", "tcp://h?auth=a%zz%&" T, "tcp h:6379 auth=:a%zz%", NO_TRAP },
	{ "a # belongs to the password", "tcp://h?" T "&auth=a#b?c#d", "tcp h:6379 auth=:a#b?c#d", NO_TRAP },
	{ "so do @ : / = ;", "tcp://h?" T "&auth=a@b:c/d=e;f", "tcp h:6379 auth=:a@b:c/d=e;f", NO_TRAP },
	{ "a control character becomes _", "tcp://h?" T "&auth=a\x01" "b", "tcp h:6379 auth=:a_b", NO_TRAP },
	{ "an encoded one does not", "tcp://h?" T "&auth=a%01b", "tcp h:6379 auth=:a\x01" "b", NO_TRAP },
	{ "an empty password is sent", "tcp://h?auth=&" T, "tcp h:6379 auth=:", "empty password" },
	{ "an empty user is sent too", "tcp://h?auth[]=&auth[]=secret", REFUSED, "empty user" },
	{ "we cannot hold %00", "tcp://h?auth=secret%00", REFUSED, "%00" },
	{ "user:password@ is ignored", "tcp://u:secret@h?" T, "tcp h:6379", "auth[]=USER&auth[]=PASSWORD" },
	{ "user@ is ignored", "tcp://secret@h?" T, "tcp h:6379", "&auth=PASSWORD" },
	{ "a # in a login cuts the host off", "tcp://u:12#secret@h", REFUSED, "before its @" },
	{ "so does a /", "tcp://u:12/secret@h", REFUSED, "before its @" },
	{ "an & cuts a password, and is not shown", "tcp://h?auth=pass&secret&" T, "tcp h:6379 auth=:pass", "%26" },

	/* numbers and the rest */
	{ "a database", "tcp://h?database=2&" T, "tcp h:6379 db=2", NO_TRAP },
	{ "database 0 is selected", "tcp://h?database=0&" T, "tcp h:6379 db=0", NO_TRAP },
	{ "a negative database is not", "tcp://h?database=-1&" T, "tcp h:6379", NO_TRAP },
	{ "the last one counts", "tcp://h?database=1&database=2&" T, "tcp h:6379 db=2", NO_TRAP },
	{ "letters are database 0", "tcp://h?database=abc&" T, "tcp h:6379 db=0", "reads it as 0" },
	{ "1e1 is 10 to PHP", "tcp://h?database=1e1&" T, "tcp h:6379 db=10", NO_TRAP },
	{ "2.9 is 2", "tcp://h?database=2.9&" T, "tcp h:6379 db=2", NO_TRAP },
	{ "0x10 is 0", "tcp://h?database=0x10&" T, "tcp h:6379 db=0", "reads it as 0" },
	{ "a number is cut to 32 bits", "tcp://h?database=4294967298&" T, "tcp h:6379 db=2", NO_TRAP },
	{ "an array counts as 1", "tcp://h?database[]=7&" T, "tcp h:6379 db=1", "is an array" },
	{ "db= is unknown", "tcp://h?db=2&" T, "tcp h:6379", "&database=2" },
	{ "names are case-sensitive", "tcp://h?Database=2&" T, "tcp h:6379", "'Database', database is meant" },
	{ "password= is unknown", "tcp://h?password=secret&" T, "tcp h:6379", "'password', auth is meant" },
	{ "a stranger is named", "tcp://h?colour=red&" T, "tcp h:6379", "'colour'" },
	{ "a path is ignored", "tcp://h:7000/2?" T, "tcp h:7000", "&database=2" },
	{ "a lone slash is no path", "tcp://h/?" T, "tcp h:6379", NO_TRAP },
	{ "a dot in a name is an underscore", "tcp://h?timeout=1&read.timeout=1", "tcp h:6379", NO_TRAP },
	{ "so is a bracket that is not closed", "tcp://h?timeout=1&read[timeout=1", "tcp h:6379", NO_TRAP },
	{ "blanks before a name go", "tcp://h?+database=2&" T, "tcp h:6379 db=2", NO_TRAP },
	{ "empty options go", "tcp://h?&&database=2&&" T, "tcp h:6379 db=2", NO_TRAP },
	{ "a prefix", "tcp://h?prefix=a:b%3A&" T, "tcp h:6379 prefix=a:b:", NO_TRAP },
	{ "an empty prefix", "tcp://h?prefix=&" T, "tcp h:6379 prefix=", NO_TRAP },
	{ "an array as a prefix", "tcp://h?prefix[]=x&" T, "tcp h:6379 prefix=Array", "'Array'" },
	{ "a weight", "tcp://h?weight=3&" T, "tcp h:6379 weight=3", NO_TRAP },
	{ "weight 0 is refused", "tcp://h?weight=0", REFUSED, "weight" },
	{ "so is a weight of letters", "tcp://h?weight=x", REFUSED, "weight" },
	{ "so are weights that PHP adds up to 0", "tcp://h?weight=2147483647,tcp://i?weight=2147483647,tcp://j?weight=2", REFUSED, "crashes" },
	{ "one more is a sum", "tcp://h?weight=2147483647&" T ",tcp://i?weight=2147483647&" T ",tcp://j?weight=3&" T,
	  "tcp h:6379 weight=2147483647 | tcp i:6379 weight=2147483647 | tcp j:6379 weight=3", NO_TRAP },
	{ "persistent", "tcp://h?persistent=Yes&" T, "tcp h:6379 persistent", NO_TRAP },
	{ "persistent=on is off", "tcp://h?persistent=on&" T, "tcp h:6379", NO_TRAP },
	{ "timeout 0 is refused", "tcp://h?timeout=0", REFUSED, "timeout=2" },
	{ "timeouts have no units", "tcp://h?timeout=250ms&read_timeout=1", "tcp h:6379", "reads it as 250" },
	{ "without timeout it is a day", "tcp://h?read_timeout=1", "tcp h:6379", "waits a day" },
	{ "without read_timeout it is 60 s", "tcp://h?timeout=1", "tcp h:6379", "default_socket_timeout" },
	{ "a negative read_timeout is for ever", "tcp://h?timeout=1&read_timeout=-1", "tcp h:6379", "for ever" },
	{ "stream[] is for 6.0", "tls://h?stream[verify_peer]=0&" T, "tls h:6379", "before 6.0" },
	{ "a fragment without query is ignored", "tcp://h#database=2", "tcp h:6379", "follows the #" },
	{ "a lost login is worse than a missing timeout", "tcp://u:secret@h/2?db=3", "tcp h:6379", "before the @" },
	/* clang-format on */
};

static void describe_one(struct text *text, const struct store_address *store)
{
	if (store->port == 0)
		text_add(text, "unix %s", store->host);
	else
		text_add(text, "%s %s:%u", store->tls ? "tls" : "tcp", store->host, store->port);
	if (store->database >= 0)
		text_add(text, " db=%d", store->database);
	if (store->has_auth)
		text_add(text, " auth=%s:%s", store->user, store->password);
	if (store->prefix_set)
		text_add(text, " prefix=%s", store->prefix);
	if (store->weight != 1)
		text_add(text, " weight=%d", store->weight);
	if (store->persistent)
		text_add(text, " persistent");
}

static void describe(const struct save_path *path, char *to, size_t size)
{
	struct text text = text_init(to, size);

	for (size_t i = 0; i < path->count; i++) {
		text_add(&text, i > 0 ? " | " : "");
		describe_one(&text, &path->stores[i]);
	}
}

static void check_row(const struct row *row)
{
	struct save_path path;
	char why[SAVE_PATH_TRAP_SIZE] = "", reads[1024];
	int r = save_path_parse(row->text, &path, why, sizeof(why));
	const char *sentence = r < 0 ? why : path.trap;

	describe(&path, reads, sizeof(reads));
	if (r != (row->reads ? 0 : -EINVAL))
		fail_msg("%s: returns %d (%s)", row->says, r, why);
	if (row->reads && strcmp(reads, row->reads) != 0)
		fail_msg("%s: reads '%s'", row->says, reads);
	if (row->sentence ? !strstr(sentence, row->sentence) : *sentence != '\0')
		fail_msg("%s: says '%s'", row->says, sentence);
	if (strstr(sentence, "secret"))
		fail_msg("%s: shows the password: '%s'", row->says, sentence);
}

static void test_rows(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&rows[i]);
}

static void test_defaults_are_those_of_phpredis(void **state)
{
	(void)state;
	struct save_path path;
	char why[SAVE_PATH_TRAP_SIZE];

	assert_int_equal(save_path_parse("tcp://h", &path, why, sizeof(why)), 0);
	assert_string_equal(path.stores[0].prefix, "PHPREDIS_SESSION:");
	assert_int_equal(path.stores[0].database, -1);
	assert_int_equal(path.stores[0].weight, 1);
	assert_true(path.stores[0].timeout_s == 86400);
	assert_true(path.stores[0].read_timeout_s == 0);
	assert_false(path.stores[0].timeout_set || path.stores[0].read_timeout_set);
}

static void test_timeouts_are_seconds_with_fractions(void **state)
{
	(void)state;
	struct save_path path;
	char why[SAVE_PATH_TRAP_SIZE];

	assert_int_equal(
		save_path_parse("tcp://h?timeout=.5&read_timeout=25e-1", &path, why, sizeof(why)),
		0);
	assert_true(path.stores[0].timeout_s == 0.5);
	assert_true(path.stores[0].read_timeout_s == 2.5);
	assert_true(path.stores[0].timeout_set && path.stores[0].read_timeout_set);
}

static int parse_repeated(const char *head, size_t count, const char *what, char *why, size_t size)
{
	static char line[16384];
	struct text text = TEXT(line);
	struct save_path path;

	text_add(&text, "%s", head);
	for (size_t i = 0; i < count; i++)
		text_add(&text, "%s", what);
	return save_path_parse(line, &path, why, size);
}

static void test_too_much_is_refused_not_cut(void **state)
{
	(void)state;
	char why[SAVE_PATH_TRAP_SIZE];

	assert_int_equal(parse_repeated("", STORES_MAX, "tcp://h ", why, sizeof(why)), 0);
	assert_int_equal(parse_repeated("", STORES_MAX + 1, "tcp://h ", why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "16 stores"));
	assert_int_equal(parse_repeated("tcp://", 255, "h", why, sizeof(why)), 0);
	assert_int_equal(parse_repeated("tcp://", 256, "h", why, sizeof(why)), -EINVAL);
	assert_int_equal(parse_repeated("/", 255, "h", why, sizeof(why)), -EINVAL);
	assert_int_equal(parse_repeated("", 256, "h", why, sizeof(why)), -EINVAL);
	assert_int_equal(parse_repeated("h?auth=", 511, "x", why, sizeof(why)), 0);
	assert_int_equal(parse_repeated("h?auth=", 512, "x", why, sizeof(why)), -EINVAL);
	assert_int_equal(parse_repeated("h?prefix=", 127, "x", why, sizeof(why)), 0);
	assert_int_equal(parse_repeated("h?prefix=", 128, "x", why, sizeof(why)), -EINVAL);
	assert_int_equal(parse_repeated("h?", 2000, "auth[]=x&", why, sizeof(why)), 0);
}

static void test_a_small_buffer_cuts_the_sentence(void **state)
{
	(void)state;
	struct save_path path;
	char why[8];

	assert_int_equal(save_path_parse("redis://h", &path, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "part 1 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_defaults_are_those_of_phpredis),
		cmocka_unit_test(test_timeouts_are_seconds_with_fractions),
		cmocka_unit_test(test_too_much_is_refused_not_cut),
		cmocka_unit_test(test_a_small_buffer_cuts_the_sentence),
	};
	return cmocka_run_group_tests_name("savepath", tests, NULL, NULL);
}
