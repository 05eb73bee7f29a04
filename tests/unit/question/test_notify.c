#include <signal.h>
#include <sys/socket.h>

#include "../util/forked.h"
#include "../util/scratch.h"
#include "process/helper.h"
#include "question/notify.h"
#include "util/cleanup.h"
#include "util/fs.h"
#include "util/text.h"

enum { PATIENCE_MS = 60000, SAID_SIZE = 256 * 1024 };

/* What a run of the program led to. */
struct outcome {
	struct helper helper;
	enum notify_kind kind; /* of the last answer */
	unsigned lines, cuts, ends;
	struct text all; /* its lines, in said */
	char said[SAID_SIZE];
	char why[NOTIFY_LINE_SIZE + 1];
};

static struct loop loop;
static struct inheritance inheritance;
static struct outcome outcome;
static char directory[SCRATCH_PATH_SIZE], script[SCRATCH_PATH_SIZE + 16];

static void on_answer(struct helper *helper, const void *data, size_t size)
{
	const struct notify_answer *answer = data;

	(void)helper;
	assert_int_equal(size, sizeof(*answer));
	outcome.kind = answer->kind;
	if (answer->kind == NOTIFY_LINE) {
		text_add(&outcome.all, "%s\n", answer->text);
		outcome.lines++;
	}
	outcome.cuts += answer->kind == NOTIFY_CUT;
	if (answer->kind == NOTIFY_FAILED)
		text_copy_cut(outcome.why, sizeof(outcome.why), answer->text);
}

static void on_end(struct helper *helper)
{
	(void)helper;
	outcome.ends++;
}

/* Run "@script@words" with some facts, and wait for its end. */
static void run(const char *text, const char *words)
{
	static char *environment[] = { "PATH=/usr/bin:/bin",          "REDIS_PASSWORD=hidden",
		                       "REDIS_PASSWORD_FILE=/hidden", "TOKEN=t",
		                       "TWINIT_RELEASE=old",          NULL };
	char command[CONFIG_PATH_SIZE];
	struct notify_query query = {
		.command = command,
		.environment = environment,
		.secrets = "OTHER REDIS_PASSWORD",
		.umask = 027,
		.fact_count = 3,
		.facts = { { "release", false, "4\"2\xff" },
		           { "ms", true, "12" },
		           { "why", false,
		             "b\xc3\xa4"
		             "d\n\x01" } },
	};
	const struct question question = {
		.run = notify_run,
		.query = &query,
		.power = POWER_PROGRAM,
		.identity = identity_current(),
		.timeout_ms = PATIENCE_MS,
	};
	int status;

	snprintf(script, sizeof(script), "%s/script", directory);
	(void)unlink(script);
	assert_int_equal(write_file_at(-1, script, text), 0);
	assert_int_equal(chmod(script, 0755), 0);
	snprintf(command, sizeof(command), "%s%s", script, words);
	memset(&outcome, 0, sizeof(outcome));
	outcome.all = TEXT(outcome.said);
	outcome.helper.on_answer = on_answer;
	outcome.helper.on_end = on_end;
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(helper_start(&outcome.helper, &loop, &inheritance, &question), 0);
	pid_t pid = outcome.helper.pid;
	while (outcome.ends == 0)
		assert_int_equal(loop_turn(&loop), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	loop_done(&loop);
}

static void says(const char *text)
{
	if (!strstr(outcome.said, text))
		fail_msg("wanted %s\n   got %s", text, outcome.said);
}

static void says_not(const char *text)
{
	if (strstr(outcome.said, text))
		fail_msg("did not want %s\n   got %s", text, outcome.said);
}

static void test_the_facts_are_in_its_environment(void **state)
{
	(void)state;
	run("#!/bin/sh\nenv\n", "");
	assert_int_equal(outcome.kind, NOTIFY_DONE);
	says("TWINIT_RELEASE=4\"2\xff\n");
	says("TWINIT_MS=12\n");
	says("TWINIT_WHY=b\xc3\xa4"
	     "d\n");
	says("TOKEN=t\n");
	says_not("REDIS_PASSWORD");
}

static void test_the_facts_are_json_on_its_stdin(void **state)
{
	(void)state;
	run("#!/bin/sh\ncat; cat; cat /dev/stdin\necho more >/dev/stdin\n", "");
	says("{\"release\":\"4\\\"2?\",\"ms\":12,\"why\":\"b\xc3\xa4"
	     "d\\n\\u0001\"}\n");
}

static void test_its_arguments_are_words(void **state)
{
	(void)state;
	run("#!/bin/sh\nfor a; do echo \"<$a>\"; done; umask\n", " one  'two three' $HOME");
	assert_string_equal(outcome.said, "<one>\n<'two>\n<three'>\n<$HOME>\n0027\n");
}

static void test_how_it_ended_is_said(void **state)
{
	static const struct {
		const char *script, *why;
	} rows[] = {
		{ "#!/bin/sh\nexit 0\n", "" },
		{ "#!/bin/sh\nexit 3\n", "exited with status 3" },
		{ "#!/bin/sh\nkill -9 $$\n", "was killed by signal 9 (Killed)" },
		{ "#!/bin/sh\ntrap '' TERM\nkill -TERM 0\nexit 4\n", "exited with status 4" },
		{ "#!/bin/sh\nkill -HUP 0\n", "was killed by signal 1 (Hangup)" },
		{ "#!/bin/no-such-shell\n", "cannot be run: No such file or directory" },
		{ "what is this?\n", "cannot be run: Exec format error" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run(rows[i].script, "");
		assert_string_equal(outcome.why, rows[i].why);
		assert_int_equal(outcome.kind, i == 0 ? NOTIFY_DONE : NOTIFY_FAILED);
	}
}

static void test_too_much_output_is_cut(void **state)
{
	(void)state;
	run("#!/bin/sh\nseq 100000\n", "");
	assert_int_equal(outcome.lines, NOTIFY_LINES_MAX);
	assert_int_equal(outcome.cuts, 1);
	assert_int_equal(outcome.kind, NOTIFY_DONE);
	says("\n64\n");
}

static void test_as_much_as_is_kept_is_not_cut(void **state)
{
	(void)state;
	run("#!/bin/sh\nseq 63; printf last\n", "");
	assert_int_equal(outcome.lines, NOTIFY_LINES_MAX);
	assert_int_equal(outcome.cuts, 0);
	says("\nlast\n");
}

static void test_a_long_line_becomes_several(void **state)
{
	(void)state;
	run("#!/bin/sh\nprintf '%02500d\\n\\0x\\n' 7\n", "");
	assert_int_equal(outcome.lines, 4);
	says("0000007\n?x\n");
}

/* What it leaves behind ends with it, and so does what it waits for. */
static void test_what_it_leaves_in_its_group_is_ended(void **state)
{
	char path[SCRATCH_PATH_SIZE + 16], text[64];

	(void)state;
	run("#!/bin/sh\nsleep 1000 >/dev/null 2>&1 </dev/null &\necho $! >\"${0%script}left\"\n"
	    "setsid true 2>/dev/null && echo left\n(sleep 0.05; echo waited for) &\n",
	    "");
	assert_int_equal(outcome.kind, NOTIFY_DONE);
	assert_string_equal(outcome.said, "waited for\n");
	snprintf(path, sizeof(path), "%s/left", directory);
	assert_true(read_file(path, text, sizeof(text)) > 0);
	pid_t left = (pid_t)strtol(text, NULL, 10);
	assert_true(left > 1);
	/* It is somebody else's to reap, who may be slow. */
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)left);
	while (read_file(path, text, sizeof(text)) > 0 && !strstr(text, ") Z"))
		usleep(1000);
}

static int new_directory(void **state)
{
	scratch_dir(directory);
	return leaks_before(state);
}

#define NOTIFY_TEST(name) cmocka_unit_test_setup_teardown(name, new_directory, leaks_after)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NOTIFY_TEST(test_the_facts_are_in_its_environment),
		NOTIFY_TEST(test_the_facts_are_json_on_its_stdin),
		NOTIFY_TEST(test_its_arguments_are_words),
		NOTIFY_TEST(test_how_it_ended_is_said),
		NOTIFY_TEST(test_too_much_output_is_cut),
		NOTIFY_TEST(test_as_much_as_is_kept_is_not_cut),
		NOTIFY_TEST(test_a_long_line_becomes_several),
		NOTIFY_TEST(test_what_it_leaves_in_its_group_is_ended),
	};

	return cmocka_run_group_tests_name("question/notify", tests, scratch_begin, scratch_end);
}
