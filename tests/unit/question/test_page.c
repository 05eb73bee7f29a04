#include <string.h>

#include "fake_fpm.h"
#include "question/page.h"
#include "util/clock.h"

static char directory[SCRATCH_PATH_SIZE];

static int new_directory(void **state)
{
	scratch_dir(directory);
	return leaks_before(state);
}

/* What PHP is told of a page, as "NAME=value" in the order of the request. */
static const struct row {
	const char *page;
	const char *file, *name, *info, *query;
} rows[] = {
	{ "/index.php", "/srv/index.php", "/index.php", NULL, "" },
	{ "/index.php?a=b&c=.php/d", "/srv/index.php", "/index.php", NULL, "a=b&c=.php/d" },
	{ "/index.php/users/1?x=y", "/srv/index.php", "/index.php", "/users/1", "x=y" },
	{ "/a.phpx/b.php", "/srv/a.phpx/b.php", "/a.phpx/b.php", NULL, "" },
	{ "/a.php/b.php", "/srv/a.php", "/a.php", "/b.php", "" },
	{ "/health", "/srv/health", "/health", NULL, "" },
	{ "/health?a.php", "/srv/health", "/health", NULL, "a.php" },
};

static size_t add_param(uint8_t *to, const char *name, const char *value)
{
	size_t name_size = strlen(name), size = strlen(value);

	assert_true(name_size < 128 && size < 128);
	to[0] = (uint8_t)name_size;
	to[1] = (uint8_t)size;
	memcpy(to + 2, name, name_size);
	memcpy(to + 2 + name_size, value, size);
	return 2 + name_size + size;
}

/* Is the parameter in the request?  Short values have one byte of length (FastCGI 1.0, 3.4). */
static bool has(const char *request, size_t size, const char *name, const char *value)
{
	uint8_t pair[300];

	return memmem(request, size, pair, add_param(pair, name, value)) != NULL;
}

static void answer_with_request(int listener)
{
	static const char end[] = { 1, 5, 0, 1, 0, 0, 0, 0 };
	char request[4096];
	size_t size = 0;
	int fd = accept(listener, NULL, NULL);

	while (size < sizeof(end) || memcmp(request + size - sizeof(end), end, sizeof(end)) != 0) {
		ssize_t n = read(fd, request + size, sizeof(request) - size);

		if (n <= 0)
			_exit(EXIT_FAILURE);
		size += (size_t)n;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (has(request, size, "SCRIPT_FILENAME", rows[i].file) &&
		    has(request, size, "SCRIPT_NAME", rows[i].name) &&
		    has(request, size, "REQUEST_URI", rows[i].page) &&
		    has(request, size, "QUERY_STRING", rows[i].query) &&
		    has(request, size, "DOCUMENT_ROOT", "/srv") &&
		    (rows[i].info ? has(request, size, "PATH_INFO", rows[i].info)
		                  : memmem(request, size, "PATH_INFO", 9) == NULL)) {
			fake_body(fd, rows[i].page);
			_exit(EXIT_SUCCESS);
		}
	fake_body(fd, "no row is like it");
	_exit(EXIT_SUCCESS);
}

static void test_php_is_told_of_a_page_as_by_a_web_server(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct page_answer answer;
		int listener = fake_listen(at("%s/%zu", directory, i));
		char name[32];

		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0) {
			alarm(30);
			answer_with_request(listener);
		}
		close(listener);
		int fd = open(directory, O_PATH | O_CLOEXEC);
		snprintf(name, sizeof(name), "%zu", i);
		int r = page_ask(fd, name, "/srv", rows[i].page, clock_ms() + 5000, &answer);
		close(fd);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		if (r < 0 || strcmp(answer.said, rows[i].page) != 0)
			fail_msg("%s: %d, \"%s\"", rows[i].page, r, answer.said);
	}
}

static void test_a_page_that_is_too_long_is_not_asked_for(void **state)
{
	struct page_answer answer;
	char page[10000];

	(void)state;
	memset(page, 'a', sizeof(page) - 1);
	page[0] = '/';
	page[sizeof(page) - 1] = '\0';
	assert_true(page_ask(-1, "x", "/srv", page, clock_ms() + 1000, &answer) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_php_is_told_of_a_page_as_by_a_web_server,
		                                new_directory, leaks_after),
		cmocka_unit_test(test_a_page_that_is_too_long_is_not_asked_for),
	};

	return cmocka_run_group_tests_name("question/page", tests, scratch_begin, scratch_end);
}
