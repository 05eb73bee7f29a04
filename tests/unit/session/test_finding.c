/* Findings, their file, members, and what settings alone make doubtful. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "session/doubts.h"
#include "session/finding_file.h"
#include "session/plan.h"
#include "util/text.h"

static struct findings findings;

static int clear(void **state)
{
	(void)state;
	memset(&findings, 0, sizeof(findings));
	return 0;
}

/* --- the list --- */

static void test_every_id_and_result_has_a_name(void **state)
{
	(void)state;

	for (uint32_t i = 0; i < FINDING_ID_COUNT; i++)
		for (uint32_t k = 0; k < i; k++)
			assert_string_not_equal(finding_name(i), finding_name(k));
	for (uint32_t i = 0; i < FINDING_RESULT_COUNT; i++)
		assert_string_not_equal(finding_result_name(i), "?");
	assert_string_equal(finding_name(FINDING_ID_COUNT), "?");
	assert_string_equal(finding_result_name(UINT32_MAX), "?");
}

static void test_the_same_is_noted_once(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		findings_note(&findings, FINDING_ACL, FINDING_FAILED, "redis:6379", NULL, "no %s",
		              i < 2 ? "EVAL" : "EXPIRE");
	assert_int_equal(findings.count, 2);
}

static void test_a_full_list_keeps_a_failure(void **state)
{
	(void)state;
	for (int i = 0; i < FINDINGS_MAX + 5; i++)
		findings_note(&findings, FINDING_WRITE, FINDING_OK, "s", NULL, "%d", i);
	findings_note(&findings, FINDING_WRITE, FINDING_FAILED, "s", "mend it", "bad");
	findings_note(&findings, FINDING_WRITE, FINDING_WARNING, "s", NULL, "late");
	assert_int_equal(findings.count, FINDINGS_MAX);
	assert_int_equal(findings.left_off, 7);
	assert_string_equal(findings_first(&findings, FINDING_FAILED)->seen, "bad");
	assert_null(findings_first(&findings, FINDING_WARNING));
}

static void test_a_sentence_is_taken_apart_and_put_together(void **state)
{
	(void)state;
	char sentence[256];

	findings_note_sentence(&findings, FINDING_SAVE_PATH, FINDING_WARNING, "pool www",
	                       "has a trap; write \"tcp://h\"");
	findings_note_sentence(&findings, FINDING_SAVE_PATH, FINDING_FAILED, "pool www", "is bad");
	assert_string_equal(findings.list[0].seen, "has a trap");
	assert_string_equal(findings.list[0].fix, "write \"tcp://h\"");
	finding_sentence(&findings.list[0], sentence, sizeof(sentence));
	assert_string_equal(sentence, "pool www: has a trap; write \"tcp://h\"");
	finding_sentence(&findings.list[1], sentence, sizeof(sentence));
	assert_string_equal(sentence, "pool www: is bad");
}

static void test_what_is_too_long_is_cut(void **state)
{
	(void)state;
	char longer[4096];

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	findings_note(&findings, FINDING_WRITE, FINDING_OK, longer, longer, "%s", longer);
	assert_int_equal(strlen(findings.list[0].subject), FINDING_SUBJECT_SIZE - 1);
	assert_int_equal(strlen(findings.list[0].seen), FINDING_TEXT_SIZE - 1);
	assert_int_equal(strlen(findings.list[0].fix), FINDING_TEXT_SIZE - 1);
}

/* --- the file --- */

static int file_of(const struct findings *from)
{
	int fd = memfd_create("findings", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(finding_file_write(fd, from), 0);
	return fd;
}

static void test_a_file_has_what_was_written(void **state)
{
	(void)state;
	static struct findings back;

	findings_note(&findings, FINDING_ROLE, FINDING_FAILED, "redis:6379", "fix", "seen");
	findings.left_off = 3;
	findings.member_count = 2;
	assert_true(text_copy(findings.members[1].hostname, MEMBER_HOSTNAME_SIZE, "php-2"));
	int fd = file_of(&findings);
	assert_int_equal(finding_file_read(fd, &back), 0);
	assert_memory_equal(&back, &findings, sizeof(back));
	/* Twice: PID 1 gives it to whoever asks. */
	assert_int_equal(finding_file_read(fd, &back), 0);
	(void)close(fd);
}

static void test_a_file_of_a_bad_helper_does_no_harm(void **state)
{
	(void)state;
	static struct findings back;
	uint32_t header[4] = { 0x66696e64, 1, 0, 0 };
	static struct finding wild;
	int fd = memfd_create("findings", MFD_CLOEXEC);

	assert_int_equal(finding_file_read(fd, &back), -EPROTO);
	assert_int_equal(write(fd, header, sizeof(header)), sizeof(header));
	assert_int_equal(finding_file_read(fd, &back), -EPROTO);
	memset(&wild, 'x', sizeof(wild));
	wild.seen[0] = '\x1b';
	assert_int_equal(write(fd, &wild, sizeof(wild)), sizeof(wild));
	assert_int_equal(finding_file_read(fd, &back), 0);
	assert_int_equal(strlen(back.list[0].seen), FINDING_TEXT_SIZE - 1);
	assert_int_equal(back.list[0].seen[0], '?');
	assert_string_equal(finding_name(back.list[0].id), "?");
	header[1] = FINDINGS_MAX + 1;
	assert_int_equal(pwrite(fd, header, sizeof(header), 0), sizeof(header));
	assert_int_equal(finding_file_read(fd, &back), -EPROTO);
	header[1] = 0;
	header[3] = MEMBERS_MAX + 1;
	assert_int_equal(pwrite(fd, header, sizeof(header), 0), sizeof(header));
	assert_int_equal(finding_file_read(fd, &back), -EPROTO);
	(void)close(fd);
}

/* --- members --- */

static void test_a_member_is_read_as_it_was_written(void **state)
{
	(void)state;
	struct member member = { .since_s = 1790000000, .seen_s = 1790000100 }, back = { 0 };
	char value[MEMBER_VALUE_SIZE];

	assert_true(text_copy(member.hostname, sizeof(member.hostname), "php-1.example_x"));
	member_print(&member, value);
	assert_string_equal(value, "1 php-1.example_x - 1790000000 1790000100 -");
	assert_true(text_copy(member.service, sizeof(member.service), "php"));
	assert_true(text_copy(member.addresses, sizeof(member.addresses), "10.0.1.4,fd00::1"));
	member_print(&member, value);
	assert_true(member_parse(value, &back));
	assert_memory_equal(&back, &member, sizeof(back));
	assert_true(member_has_address(&back, "fd00::1"));
	assert_true(member_has_address(&back, "10.0.1.4"));
	assert_false(member_has_address(&back, "10.0.1"));
	assert_false(member_has_address(&back, ""));
}

static void test_other_values_are_no_members(void **state)
{
	(void)state;
	static const char *const values[] = {
		"",
		" ",
		"1",
		"2 a - 1 1 -",
		"1 a - 1 1",
		"1 a - 1 1 - x",
		"1 a  1 1 -",
		"1 a\x1b - 1 1 -",
		"1 a - x 1 -",
		"1 a - 1 -1 -",
		"1 a - 1 9999999999999999 -",
		"1 a - 1 1 10.0.0.1/8",
		"1 a;b - 1 1 -",
		"1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa - 1 1 -",
	};
	struct member member;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (member_parse(values[i], &member))
			fail_msg("'%s' is taken for a member", values[i]);
}

static void test_ids_are_found_among_nonsense(void **state)
{
	(void)state;
	const char *at = "  0123456789abcdef x 0123456789ABCDEF 0123456789abcdef0 "
			 "fedcba9876543210";
	char id[MEMBER_ID_SIZE];

	assert_true(member_index_next(&at, id));
	assert_string_equal(id, "0123456789abcdef");
	assert_true(member_index_next(&at, id));
	assert_string_equal(id, "fedcba9876543210");
	assert_false(member_index_next(&at, id));
}

/* --- doubts --- */

#define PATH "tcp://redis:6379?timeout=2&read_timeout=2"

static const struct doubt_row {
	const char *says;
	struct session_source source;
	const char *id; /* of the one warning; NULL: none */
	const char *seen;
} doubt_rows[] = {
	/* clang-format off */
	{ "the shipped settings", { .handler = "redis", .save_path = PATH, .locking = true, .lock_wait_us = 10000,
	  .lock_retries = 500, .lock_expire_s = 30 }, NULL, NULL },
	{ "the defaults of phpredis 6, locking on", { .handler = "redis", .save_path = PATH, .locking = true,
	  .lock_wait_us = 20000, .lock_retries = 100, .max_execution_s = 30 }, NULL, NULL },
	{ "the defaults of phpredis 5.3, locking on", { .handler = "redis", .save_path = PATH, .locking = true,
	  .lock_wait_us = 2000, .lock_retries = 10, .max_execution_s = 30 }, "locking", "waits 20 ms for a session" },
	{ "no locking", { .handler = "redis", .save_path = PATH }, "locking", "is off" },
	{ "locking without an end", { .handler = "redis", .save_path = PATH, .locking = true, .lock_wait_us = 10000,
	  .lock_retries = -1, .lock_expire_s = 30 }, "locking", "wait for ever" },
	{ "locks without an end", { .handler = "redis", .save_path = PATH, .locking = true, .lock_wait_us = 10000,
	  .lock_retries = 500 }, "lock-expiry", "locks never expire" },
	{ "a negative wait", { .handler = "redis", .save_path = PATH, .locking = true, .lock_wait_us = -5,
	  .lock_retries = 500, .lock_expire_s = 30 }, "locking", "waits 0 ms" },
	{ "a trap", { .handler = "redis", .save_path = PATH "&db=2", .locking = true, .lock_wait_us = 10000,
	  .lock_retries = 500, .lock_expire_s = 30 }, "save-path", "the option 'db'" },
	{ "brackets that phpredis 5 does not understand", { .handler = "redis", .phpredis = 5, .locking = true,
	  .save_path = "tcp://[::1]:6379?timeout=2&read_timeout=2", .lock_wait_us = 10000, .lock_retries = 500,
	  .lock_expire_s = 30 }, "save-path", "brackets" },
	{ "... and phpredis 6 does", { .handler = "redis", .phpredis = 6, .locking = true,
	  .save_path = "tcp://[::1]:6379?timeout=2&read_timeout=2&stream[cafile]=/x", .lock_wait_us = 10000,
	  .lock_retries = 500, .lock_expire_s = 30 }, NULL, NULL },
	{ "stream[], which nobody knows to be ignored", { .handler = "redis", .locking = true,
	  .save_path = "tls://h?timeout=2&read_timeout=2&stream[cafile]=/x", .lock_wait_us = 10000,
	  .lock_retries = 500, .lock_expire_s = 30 }, "save-path", "stream[]" },
	{ "a cluster", { .handler = "rediscluster", .save_path = "seed[]=a:1&timeout=2&read_timeout=2", .locking = true },
	  "locking", "has no locking" },
	{ "other sessions", { .handler = "files", .save_path = "/tmp" }, NULL, NULL },
	/* clang-format on */
};

static void test_doubts(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(doubt_rows); i++) {
		const struct doubt_row *row = &doubt_rows[i];

		(void)clear(state);
		doubts_note(&row->source, &findings);
		const struct finding *warning = findings_first(&findings, FINDING_WARNING);
		if ((warning != NULL) != (row->id != NULL))
			fail_msg("%s: %s", row->says, warning ? warning->seen : "no warning");
		if (warning && (strcmp(finding_name(warning->id), row->id) != 0 ||
		                !strstr(warning->seen, row->seen) || !warning->fix[0]))
			fail_msg("%s: %s, '%s'; %s", row->says, finding_name(warning->id),
			         warning->seen, warning->fix);
	}
}

static void test_a_plan_adds_up_workers_and_needs(void **state)
{
	(void)state;
	static struct plan plan;
	struct session_source a = {
		.handler = "redis", .save_path = PATH, .workers = 5, .locking = true
	};
	struct session_source b = {
		.handler = "REDIS", .save_path = PATH, .workers = 7, .lazy_write = true
	};

	plan_add(&plan, &a, &findings);
	plan_add(&plan, &b, &findings);
	assert_int_equal(plan.count, 1);
	assert_int_equal(plan.stores[0].workers, 12);
	assert_true(plan.stores[0].needs.lock && plan.stores[0].needs.expire);
	assert_false(plan.stores[0].needs.exists);
	assert_int_equal(findings.count, 0);
}

#define TEST(function) cmocka_unit_test_setup(function, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_id_and_result_has_a_name),
		TEST(test_the_same_is_noted_once),
		TEST(test_a_full_list_keeps_a_failure),
		TEST(test_a_sentence_is_taken_apart_and_put_together),
		TEST(test_what_is_too_long_is_cut),
		TEST(test_a_file_has_what_was_written),
		TEST(test_a_file_of_a_bad_helper_does_no_harm),
		TEST(test_a_member_is_read_as_it_was_written),
		TEST(test_other_values_are_no_members),
		TEST(test_ids_are_found_among_nonsense),
		TEST(test_doubts),
		TEST(test_a_plan_adds_up_workers_and_needs),
	};
	return cmocka_run_group_tests_name("finding", tests, NULL, NULL);
}
