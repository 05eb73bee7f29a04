#include "question/page.h"

#include <errno.h>
#include <string.h>

#include "config/config.h"
#include "question/fcgi_client.h"

#define BLANKS " \t"

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

/* @file and so on are filled, and *@request points to them. */
struct page_request {
	char file[3 * CONFIG_PATH_SIZE];
	char name[CONFIG_LIST_SIZE];
	char info[CONFIG_LIST_SIZE];
	struct fcgi_request request;
};

static void make_request(const char *root, const char *page, struct page_request *to)
{
	struct text file = TEXT(to->file), name = TEXT(to->name), info = TEXT(to->info);
	size_t script = script_length(page), path = strcspn(page, "?");

	text_add(&name, "%.*s", (int)script, page);
	text_add(&file, "%s%s", root, to->name);
	text_add(&info, "%.*s", (int)(path - script), page + script);
	to->request = (struct fcgi_request){
		.file = to->file,
		.root = root,
		.name = to->name,
		.path_info = path > script ? to->info : NULL,
		.uri = page,
		.query = page[path] == '?' ? page + path + 1 : NULL,
	};
}

int page_ask(int dir_fd, const char *probe, const char *root, const char *page, uint64_t until_ms,
             struct page_answer *answer)
{
	char out[ANSWER_SIZE], err[ANSWER_SIZE];
	struct fastcgi_reply reply;
	struct page_request request;
	const char *body;
	size_t size;

	make_request(root, page, &request);
	*answer = (struct page_answer){ 0 };
	fastcgi_reply_init(&reply, out, sizeof(out), err, sizeof(err));
	int r = fcgi_ask(dir_fd, probe, &request.request, until_ms, &reply);
	if (r >= 0)
		r = fastcgi_reply_head(&reply, &answer->status, &body, &size);
	if (r < 0)
		return r;
	quote_begin(body, size, answer->said, sizeof(answer->said));
	if (answer->said[0] == '\0')
		quote_begin(err, reply.stderr_length, answer->said, sizeof(answer->said));
	return 0;
}

int page_run(int fd, const char *root, const char *page, uint64_t until_ms)
{
	struct fastcgi_reply reply;
	struct page_request request;

	make_request(root, page, &request);
	fastcgi_reply_init(&reply, NULL, 0, NULL, 0);
	return fcgi_talk(fd, &request.request, true, until_ms, &reply);
}

size_t page_next(const char **list, char *to, size_t size)
{
	const char *page = *list + strspn(*list, BLANKS);
	size_t length = strcspn(page, BLANKS);
	struct text text = text_init(to, size);

	text_add(&text, "%.*s", (int)length, page);
	*list = page + length;
	return length;
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
