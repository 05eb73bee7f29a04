#include "question/page.h"

#include <errno.h>
#include <string.h>

#include "config/config.h"
#include "question/fcgi_client.h"

enum { ANSWER_SIZE = 4096 };

/* How much of @page is the script's own name. */
static size_t script_length(const char *page)
{
	size_t path = strcspn(page, "?");

	for (const char *at = page; (at = strstr(at, ".php")) && at < page + path; at++)
		if (at[4] == '/' || at[4] == '?' || at[4] == '\0')
			return (size_t)(at - page) + 4;
	return path;
}

/* The first line with something on it; what is not to be seen is quoted by whoever shows it. */
static void quote_begin(const char *from, size_t size, char *to, size_t to_size)
{
	size_t n = 0;

	while (size > 0 && strchr(" \t\r\n", *from)) {
		from++;
		size--;
	}
	while (n < size && n + 1 < to_size && from[n] != '\r' && from[n] != '\n' &&
	       from[n] != '\0') {
		to[n] = from[n];
		n++;
	}
	to[n] = '\0';
}

int page_ask(int dir_fd, const char *probe, const char *root, const char *page, uint64_t until_ms,
             struct page_answer *answer)
{
	char file[3 * CONFIG_PATH_SIZE], name[CONFIG_LIST_SIZE], info[CONFIG_LIST_SIZE];
	char out[ANSWER_SIZE], err[ANSWER_SIZE];
	struct text file_text = TEXT(file), name_text = TEXT(name), info_text = TEXT(info);
	size_t script = script_length(page), path = strcspn(page, "?");
	struct fastcgi_reply reply;
	const char *body;
	size_t size;

	text_add(&name_text, "%.*s", (int)script, page);
	text_add(&file_text, "%s%s", root, name);
	text_add(&info_text, "%.*s", (int)(path - script), page + script);
	const struct fcgi_request request = {
		.file = file,
		.root = root,
		.name = name,
		.path_info = path > script ? info : NULL,
		.uri = page,
		.query = page[path] == '?' ? page + path + 1 : NULL,
	};
	*answer = (struct page_answer){ 0 };
	fastcgi_reply_init(&reply, out, sizeof(out), err, sizeof(err));
	int r = fcgi_ask(dir_fd, probe, &request, until_ms, &reply);
	if (r >= 0)
		r = fastcgi_reply_head(&reply, &answer->status, &body, &size);
	if (r < 0)
		return r;
	quote_begin(body, size, answer->said, sizeof(answer->said));
	if (answer->said[0] == '\0')
		quote_begin(err, reply.stderr_length, answer->said, sizeof(answer->said));
	return 0;
}

bool page_is_well(const struct page_answer *answer)
{
	return answer->status >= 200 && answer->status < 300;
}

void page_explain(const char *page, int result, const struct page_answer *answer, struct text *why)
{
	text_add(why, "%s ", page);
	if (result == -ETIMEDOUT) {
		text_add(why, "did not answer in time");
	} else if (result < 0) {
		text_add(why, "got no answer, its worker died or broke off");
	} else {
		text_add(why, "answered %d", answer->status);
		if (answer->said[0] != '\0') {
			text_add(why, ": ");
			text_add_quoted(why, answer->said);
		}
	}
}
