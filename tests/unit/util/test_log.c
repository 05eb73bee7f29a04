#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "forked.h"
#include "util/log.h"

/* What stderr is, in a child of the test's own: the log's state is the program's. */
static int reader; /* the other end */

static void stderr_is_a_pipe(bool open)
{
	int ends[2];

	CHECK(pipe(ends) == 0);
	CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	close(ends[1]);
	reader = ends[0];
	CHECK(fcntl(reader, F_SETFL, O_NONBLOCK) == 0);
	if (open)
		log_open();
}

static void stderr_is_a_socket(bool open)
{
	int ends[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	close(ends[1]);
	reader = ends[0];
	CHECK(fcntl(reader, F_SETFL, O_NONBLOCK) == 0);
	if (open)
		log_open();
}

/* Everything that is there to read. */
static const char *said(void)
{
	static char text[16384];
	size_t length = 0;
	ssize_t n;

	while ((n = read(reader, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	return text;
}

/* Blocking writers would now wait. */
static void fill(void)
{
	char junk[4096];
	int flags = fcntl(STDERR_FILENO, F_GETFL);

	memset(junk, '.', sizeof(junk));
	CHECK(fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK) == 0);
	while (write(STDERR_FILENO, junk, sizeof(junk)) > 0)
		continue;
	CHECK(errno == EAGAIN);
	CHECK(fcntl(STDERR_FILENO, F_SETFL, flags) == 0);
}

static void drain(void)
{
	char junk[65536];

	while (read(reader, junk, sizeof(junk)) > 0)
		continue;
}

/* --- lines --- */

static void write_levels(void *context)
{
	(void)context;
	stderr_is_a_pipe(true);
	log_write(NOTICE_BOOT_FAILED, "", "a %s", "row");
	log_write(NOTICE_LINK_MOVED, "www", "slow %d", 1);
	log_write(NOTICE_STARTED, "", "ready");
	CHECK(strcmp(said(), "twinit: error: a row\n"
	                     "twinit: warning: www: slow 1\n"
	                     "twinit: ready\n") == 0);
}

static void test_a_line_says_how_bad_it_is(void **state)
{
	(void)state;
	in_child(write_levels, NULL);
}

static void write_errno(void *context)
{
	(void)context;
	stderr_is_a_pipe(true);
	errno = EBUSY;
	CHECK(log_errno(-ENOENT, NOTICE_LINK_STUCK, "www", "cannot open %s", "it") == -ENOENT);
	CHECK(errno == EBUSY);
	log_write(NOTICE_STARTED, "", "x");
	CHECK(errno == EBUSY);
	CHECK(strcmp(said(), "twinit: error: www: cannot open it: No such file or directory\n"
	                     "twinit: x\n") == 0);
}

static void test_an_error_is_explained_and_returned(void **state)
{
	(void)state;
	in_child(write_errno, NULL);
}

static void write_newlines(void *context)
{
	(void)context;
	stderr_is_a_pipe(true);
	log_write(NOTICE_STARTED, "", "%s", "one\ntwo\n");
	CHECK(strcmp(said(), "twinit: one two \n") == 0);
}

static void test_a_newline_becomes_a_blank(void **state)
{
	(void)state;
	in_child(write_newlines, NULL);
}

static void write_control_characters(void *context)
{
	(void)context;
	stderr_is_a_pipe(true);
	log_write(NOTICE_STARTED, "", "%s", "release \x1b[2J\r\x7f gr\xc3\xbc\xc3\x9f");
	CHECK(strcmp(said(), "twinit: release ?[2J?? gr\xc3\xbc\xc3\x9f\n") == 0);
}

static void test_nothing_that_a_terminal_obeys(void **state)
{
	(void)state;
	in_child(write_control_characters, NULL);
}

static void write_long(void *context)
{
	static char longer[5000];

	(void)context;
	stderr_is_a_pipe(true);
	memset(longer, 'x', sizeof(longer) - 1);
	log_write(NOTICE_STARTED, "", "%s", longer);
	log_write(NOTICE_STARTED, "", "next");
	const char *text = said();
	const char *end = strchr(text, '\n');
	CHECK(end && end - text == (ptrdiff_t)strlen("twinit: ") + 2559); /* as doc/log.md says */
	CHECK(strcmp(end, "\ntwinit: next\n") == 0);
}

static void test_a_long_line_is_cut_and_ended(void **state)
{
	(void)state;
	in_child(write_long, NULL);
}

/* --- JSON --- */

/* Behind the time, which begins each object and is the same length for ever. */
static const char *behind_time(const char *line)
{
	static const char form[] = "{\"time\":\"0000-00-00T00:00:00.000Z\",";

	for (size_t i = 0; i < strlen(form); i++)
		CHECK(form[i] == '0' ? line[i] >= '0' && line[i] <= '9' : line[i] == form[i]);
	return line + strlen(form);
}

/* clang-format off */
static const struct json_row {
	const char *says;
	enum log_level level;
	const char *name, *app, *text;
	const char *line;
} jsons[] = {
	{ "an event of an app", LOG_INFO, "cutover", "shop", "cutover to release 42",
	  "\"level\":\"info\",\"event\":\"cutover\",\"app\":\"shop\",\"text\":\"cutover to release 42\"}\n" },
	{ "an event of none", LOG_WARNING, "stopping", "", "bye",
	  "\"level\":\"warning\",\"event\":\"stopping\",\"text\":\"bye\"}\n" },
	{ "what would end the string", LOG_ERROR, "x", "", "a\"b\\c\nd\te\x7f",
	  "\"level\":\"error\",\"event\":\"x\",\"text\":\"a\\\"b\\\\c\\u000ad\\u0009e\\u007f\"}\n" },
	{ "what some terminals obey", LOG_INFO, "x", "", "a\xc2\x9b\x32J\xc2\xa0",
	  "\"level\":\"info\",\"event\":\"x\",\"text\":\"a\\u009b2J\xc2\xa0\"}\n" },
	{ "UTF-8 stays", LOG_INFO, "x", "", "gr\xc3\xbc\xc3\x9f",
	  "\"level\":\"info\",\"event\":\"x\",\"text\":\"gr\xc3\xbc\xc3\x9f\"}\n" },
	{ "what is no UTF-8", LOG_INFO, "x", "www\xff", "gr\xfc\xdf \xed\xa0\x80 \xc3",
	  "\"level\":\"info\",\"event\":\"x\",\"app\":\"www?\",\"text\":\"gr?? ??? ?\"}\n" },
};
/* clang-format on */

static void write_json(void *context)
{
	const struct json_row *row = context;

	stderr_is_a_pipe(true);
	log_use_json();
	log_event(row->level, row->name, row->app, row->text);
	CHECK(strcmp(behind_time(said()), row->line) == 0);
}

static void write_notice_json(void *context)
{
	(void)context;
	stderr_is_a_pipe(true);
	log_use_json();
	CHECK(log_errno(-ENOENT, NOTICE_LINK_STUCK, "www", "cannot point %s back", "it") ==
	      -ENOENT);
	CHECK(strcmp(behind_time(said()),
	             "\"level\":\"error\",\"event\":\"link-stuck\",\"app\":\"www\",\"text\":"
	             "\"www: cannot point it back: No such file or directory\"}\n") == 0);
}

static void test_a_notice_has_its_name_level_and_app(void **state)
{
	(void)state;
	in_child(write_notice_json, NULL);
}

static void test_each_line_is_an_object_where_json_is_asked_for(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(jsons); i++)
		in_child_row(jsons[i].says, write_json, (void *)&jsons[i]);
}

/* Escapes make it longer than any buffer, wherever it is cut. */
static void write_long_json(void *context)
{
	char longer[5000];

	(void)context;
	stderr_is_a_pipe(true);
	log_use_json();
	memset(longer, '\n', sizeof(longer));
	for (size_t length = 600; length < 720; length++) {
		longer[length] = '\0';
		log_event(LOG_INFO, "x", "", longer);
		const char *text = said();
		size_t size = strlen(text);
		CHECK(size <= 4096 && strcmp(text + size - 3, "\"}\n") == 0);
		CHECK(strncmp(text + size - 9, "\\u000a", 6) == 0);
		longer[length] = '\n';
	}
	log_write(NOTICE_STARTED, "", "%s", "short");
	CHECK(strstr(said(), "\"event\":\"started\",\"text\":\"short\"}\n"));
}

static void test_a_long_object_is_still_one(void **state)
{
	(void)state;
	in_child(write_long_json, NULL);
}

/* --- readers --- */

static const struct reading_row {
	const char *says;
	void (*prepare)(bool open);
	bool open;
} readers[] = {
	{ "a pipe", stderr_is_a_pipe, true },
	{ "a pipe before log_open()", stderr_is_a_pipe, false },
	{ "a socket", stderr_is_a_socket, true },
	{ "a socket before log_open()", stderr_is_a_socket, false },
};

static void write_to_a_slow_reader(void *context)
{
	const struct reading_row *row = context;

	row->prepare(row->open);
	fill();
	for (int i = 0; i < 3; i++)
		log_write(NOTICE_STARTED, "", "lost %d", i);
	drain();
	log_write(NOTICE_STARTED, "", "seen");
	log_write(NOTICE_STARTED, "", "also seen");
	CHECK(strcmp(said(), "twinit: warning: 3 log lines dropped, their reader is slow\n"
	                     "twinit: seen\n"
	                     "twinit: also seen\n") == 0);
}

static void test_a_slow_reader_costs_lines_and_no_time(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		in_child_row(readers[i].says, write_to_a_slow_reader, (void *)&readers[i]);
}

static void write_with_shared_stderr(void *context)
{
	const struct reading_row *row = context;

	row->prepare(row->open);
	log_write(NOTICE_STARTED, "", "x");
	CHECK((fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) == 0);
}

static void test_the_childrens_stderr_still_blocks(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		in_child_row(readers[i].says, write_with_shared_stderr, (void *)&readers[i]);
}

static void write_to_nobody(void *context)
{
	const struct reading_row *row = context;

	row->prepare(row->open);
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	close(reader);
	errno = 0;
	log_write(NOTICE_BOOT_FAILED, "", "nobody reads this");
	CHECK(errno == 0);
}

static void test_no_reader_is_no_harm(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		in_child_row(readers[i].says, write_to_nobody, (void *)&readers[i]);
}

static void look_at_the_logs_own_descriptor(void *context)
{
	int last = dup(STDIN_FILENO);

	(void)context;
	close(last);
	stderr_is_a_pipe(false);
	int next = dup(STDIN_FILENO);
	close(next);
	log_open();
	CHECK(fcntl(next, F_GETFD) == FD_CLOEXEC);
}

static void test_no_child_gets_the_logs_own_descriptor(void **state)
{
	(void)state;
	in_child(look_at_the_logs_own_descriptor, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_line_says_how_bad_it_is),
		TEST(test_an_error_is_explained_and_returned),
		TEST(test_a_newline_becomes_a_blank),
		TEST(test_nothing_that_a_terminal_obeys),
		TEST(test_a_long_line_is_cut_and_ended),
		TEST(test_each_line_is_an_object_where_json_is_asked_for),
		TEST(test_a_notice_has_its_name_level_and_app),
		TEST(test_a_long_object_is_still_one),
		TEST(test_a_slow_reader_costs_lines_and_no_time),
		TEST(test_the_childrens_stderr_still_blocks),
		TEST(test_no_reader_is_no_harm),
		TEST(test_no_child_gets_the_logs_own_descriptor),
	};

	return cmocka_run_group_tests_name("util/log", tests, NULL, NULL);
}
