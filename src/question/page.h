/* page.h - one page of the site, run in a replica through its private socket.  For helpers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macros.h"
#include "util/text.h"

struct page_answer {
	int status;     /* HTTP; 0: none came */
	char said[160]; /* how its body begins, or what PHP wrote to its log */
};

/*
 * Ask the unix socket @probe in the directory @dir_fd for @page below the document root @root, at
 * most until clock_ms() is @until_ms.
 *
 * A page is what a web server would hand to PHP: "/index.php", "/index.php?lang=de", or
 * "/index.php/a/b", where what follows the script is PATH_INFO.
 *
 * Returns 0 when there is an answer of whatever status, or as fcgi_ask().
 */
MUST_CHECK int page_ask(int dir_fd, const char *probe, const char *root, const char *page,
                        uint64_t until_ms, struct page_answer *answer);

/*
 * Run @page over the connection @fd, which stays open for the next one, and drop what it answers.
 * Returns 0, or as fcgi_ask().
 */
MUST_CHECK int page_run(int fd, const char *root, const char *page, uint64_t until_ms);

/*
 * Copy the next of a list of pages, separated by blanks, to @to, and go behind it.  Returns its
 * length; 0 at the end.
 */
size_t page_next(const char **list, char *to, size_t size);

/* Is that what a page that works answers? */
bool page_is_well(const struct page_answer *answer);

/* Add why @page did not do: "/health.php answered 500: 'no database'". */
void page_explain(const char *page, int result, const struct page_answer *answer, struct text *why);
