#include "question/scoreboard.h"

#include "question/fcgi_client.h"

enum { PAGE_SIZE_MAX = 4 * 1024 * 1024 };

/* A page of a thousand workers is 400 KB; the memory is the asking process's and goes with it. */
static char page[PAGE_SIZE_MAX];

int scoreboard_page(int private_fd, const char *name, const char *path, uint64_t until_ms,
                    const char **body, size_t *size)
{
	struct fastcgi_reply reply;
	int http;

	fastcgi_reply_init(&reply, page, sizeof(page), NULL, 0);
	/* FPM looks for "json" in $_GET, which is empty without the G of variables_order. */
	const struct fcgi_request request = {
		.file = path,
		.name = path,
		.uri = path,
		.query = "json&full",
		.settings = "variables_order=GPCS\n",
	};
	int r = fcgi_ask(private_fd, name, &request, until_ms, &reply);
	return r < 0 ? r : fastcgi_reply_head(&reply, &http, body, size);
}

int scoreboard_ask(int private_fd, const char *name, const char *path, uint64_t until_ms,
                   struct fpm_status *status)
{
	const char *body;
	size_t size;
	int r = scoreboard_page(private_fd, name, path, until_ms, &body, &size);

	return r < 0 ? r : fpm_status_parse(body, size, status);
}
