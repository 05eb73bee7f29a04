#include <errno.h>
#include <sys/mman.h>

#include "../util/leaks.h"
#include "question/reading.h"
#include "session/store.h"
#include "util/cleanup.h"
#include "util/macros.h"

#define A32   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A256  A32 A32 A32 A32 A32 A32 A32 A32
#define A2048 A256 A256 A256 A256 A256 A256 A256 A256

static struct settings_query query;
static struct settings_answer answer;
static struct reading reading;

/* What FPM and PHP say of the pools "one" and "two". */
static void begin(const struct fpm_directive *directives, size_t count, const char *info)
{
	static char text[4096];

	memset(&answer, 0, sizeof(answer));
	answer.settings.pool_count = 2;
	strcpy(answer.settings.pools[0].name, "one");
	strcpy(answer.settings.pools[1].name, "two");
	snprintf(text, sizeof(text), "%s", info);
	query.sources = memfd_create("sources", MFD_CLOEXEC);
	assert_true(query.sources >= 0);
	reading = (struct reading){
		.query = &query,
		.answer = &answer,
		.why = TEXT(answer.why),
		.info = text,
		.dump = { .directives = (struct fpm_directive *)directives, .count = count },
	};
}

/* What was written, and the memfd is closed. */
static size_t written(struct session_source sources[4])
{
	ssize_t n = pread(query.sources, sources, 4 * sizeof(sources[0]), 0);

	assert_true(n >= 0 && (size_t)n % sizeof(sources[0]) == 0);
	fd_close(&query.sources);
	return (size_t)n / sizeof(sources[0]);
}

static void test_each_pool_has_its_own_session_settings(void **state)
{
	static const struct fpm_directive directives[] = {
		{ "one", "php_value[session.save_handler]", "redis", false },
		{ "one", "php_admin_value[session.save_path]", "tcp://r:6379", false },
		{ "one", "php_value[redis.session.locking_enabled]", "1", false },
		{ "two", "php_value[session.gc_maxlifetime]", "60", false },
	};
	struct session_source sources[4];

	(void)state;
	begin(directives, ARRAY_SIZE(directives),
	      "session.gc_maxlifetime => 1440 => 1440\n"
	      "session.save_handler => files => files\n"
	      "session.save_path => no value => no value\n");
	assert_int_equal(replica_config_write_sources(&reading), 0);
	assert_int_equal(written(sources), 2);
	assert_string_equal(sources[0].pool, "one");
	assert_string_equal(sources[0].handler, "redis");
	assert_string_equal(sources[0].save_path, "tcp://r:6379");
	assert_int_equal(sources[0].gc_maxlifetime_s, 1440);
	assert_true(sources[0].locking);
	assert_string_equal(sources[1].pool, "two");
	assert_string_equal(sources[1].handler, "files");
	assert_string_equal(sources[1].save_path, "");
	assert_int_equal(sources[1].gc_maxlifetime_s, 60);
	assert_false(sources[1].locking);
}

static void test_locking_is_what_php_takes_for_on(void **state)
{
	static const struct {
		const char *value;
		bool on;
	} rows[] = { { "1", true },  { "On", true },   { "on", true },
		     { "0", false }, { "Off", false }, { "", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct fpm_directive directive = { "two",
			                                 "php_value[redis.session.locking_enabled]",
			                                 rows[i].value, false };
		struct session_source sources[4];

		begin(&directive, 1, "");
		assert_int_equal(replica_config_write_sources(&reading), 0);
		assert_int_equal(written(sources), 2);
		if (sources[1].locking != rows[i].on)
			fail_msg("'%s': got %d", rows[i].value, sources[1].locking);
	}
}

static void test_what_is_too_long_is_told_with_its_pool(void **state)
{
	static const struct {
		const char *key, *value, *sentence;
	} rows[] = {
		{ "php_value[session.save_handler]", A32,
		  "pool two: session.save_handler is too long" },
		{ "php_value[session.save_path]", A2048,
		  "pool two: session.save_path is too long" },
		{ "php_value[session.gc_maxlifetime]", A32,
		  "pool two: session.gc_maxlifetime is too long" },
		{ "php_value[redis.session.locking_enabled]", A32,
		  "pool two: redis.session.locking_enabled is too long" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct fpm_directive directive = { "two", rows[i].key, rows[i].value, false };
		struct session_source sources[4];

		begin(&directive, 1, "");
		assert_int_equal(replica_config_write_sources(&reading), -ENAMETOOLONG);
		assert_string_equal(answer.why, rows[i].sentence);
		assert_int_equal(written(sources), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_pool_has_its_own_session_settings),
		TEST(test_locking_is_what_php_takes_for_on),
		TEST(test_what_is_too_long_is_told_with_its_pool),
	};

	return cmocka_run_group_tests_name("question/replica_config", tests, NULL, NULL);
}
