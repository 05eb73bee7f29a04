#include "fcgi/show.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fcgi/fail.h"
#include "util/text.h"

/* PHP-FPM's own page (fpm_main.c). */
#define NO_SCRIPT "File not found.\n"

enum {
	HEAD_MAX = 64 * 1024,
	PIECE_MAX = 64 * 1024, /* what is fed at once fits behind an unfinished head */
	HTTP_ERROR = 400,
};

static char out[HEAD_MAX + PIECE_MAX], err[PIECE_MAX];

void fcgi_show_init(struct fcgi_show *show, const char *where, bool headers)
{
	*show = (struct fcgi_show){ .where = where, .headers = headers };
	fastcgi_reply_init(&show->reply, out, sizeof(out), err, sizeof(err));
}

/* Our own sentences begin a line of their own. */
static const char *new_line(const struct fcgi_show *show)
{
	if (show->line_open)
		fputc('\n', stderr);
	return show->where;
}

/* Whoever gave us this descriptor may have made it non-blocking. */
static int write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0)
			(void)poll(&p, 1, -1);
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* A reader that has left knows why. */
static int show_out(const struct fcgi_show *show, const char *bytes, size_t size)
{
	int r = write_all(STDOUT_FILENO, bytes, size);

	if (r == -EPIPE)
		return FCGI_NO_OUTPUT;
	if (r < 0)
		return fcgi_fail(FCGI_NO_OUTPUT, "the answer of %s cannot be written: %s",
		                 new_line(show), strerror(-r));
	return FCGI_WELL;
}

static int show_head(struct fcgi_show *show)
{
	const struct fastcgi_reply *reply = &show->reply;
	const char *body;
	size_t size;
	int r = FCGI_WELL;

	if (fastcgi_reply_head(reply, &show->status, &body, &size) < 0) {
		if (reply->stdout_length > HEAD_MAX)
			return fcgi_fail(FCGI_NOT_FASTCGI,
			                 "the headers from %s do not end in %d KB", new_line(show),
			                 HEAD_MAX / 1024);
		return FCGI_WELL;
	}
	show->head_done = true;
	show->script_unknown = size == strlen(NO_SCRIPT) && memcmp(body, NO_SCRIPT, size) == 0;
	if (show->headers)
		r = show_out(show, out, reply->stdout_length - size);
	return r == FCGI_WELL ? show_out(show, body, size) : r;
}

static void show_err(struct fcgi_show *show)
{
	size_t length = show->reply.stderr_length;

	if (length == 0)
		return;
	(void)write_all(STDERR_FILENO, err, length);
	show->line_open = err[length - 1] != '\n';
	show->reply.stderr_length = 0;
}

static int show_piece(struct fcgi_show *show)
{
	int r;

	show_err(show);
	if (!show->head_done)
		r = show_head(show);
	else
		r = show_out(show, out, show->reply.stdout_length);
	if (show->head_done)
		show->reply.stdout_length = 0;
	return r;
}

static void remember(struct fcgi_show *show, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size && show->received + i < sizeof(show->began); i++)
		show->began[show->received + i] = bytes[i];
	show->received += size;
}

static int no_fastcgi(const struct fcgi_show *show)
{
	char begin[sizeof(show->began) + 1], quoted[4 * sizeof(begin)];
	struct text text = TEXT(quoted);

	memcpy(begin, show->began, sizeof(show->began));
	begin[sizeof(show->began)] = '\0';
	text_add_quoted(&text, begin);
	return fcgi_fail(FCGI_NOT_FASTCGI, "%s does not speak FastCGI, its answer begins %s%s",
	                 new_line(show), quoted,
	                 text_begins(begin, "HTTP/")
	                         ? "; this is a web server, curl can ask it"
	                         : "; see `listen` of the pool for PHP-FPM's address");
}

/* Is the record that was not understood the first one? */
static bool is_first(const struct fcgi_show *show)
{
	return memcmp(show->reply.header, show->began, show->reply.header_size) == 0;
}

int fcgi_show_feed(struct fcgi_show *show, const uint8_t *bytes, size_t size)
{
	bool ended = show->reply.ended;

	remember(show, bytes, size);
	int bad = fastcgi_reply_feed(&show->reply, bytes, size);
	int r = show_piece(show);
	if (r != FCGI_WELL || bad == 0)
		return r;
	if (!ended && show->reply.ended)
		return fcgi_fail(FCGI_NOT_FASTCGI, "more came from %s behind the end of its answer",
		                 new_line(show));
	if (is_first(show))
		return no_fastcgi(show);
	return fcgi_fail(FCGI_NOT_FASTCGI,
	                 "what came from %s is no FastCGI any more, within its first %llu bytes",
	                 new_line(show), (unsigned long long)show->received);
}

static int refused(const struct fcgi_show *show)
{
	static const char *const reasons[] = {
		"it takes one request a connection",
		"it is overloaded",
		"it is no responder, which is what runs scripts",
	};
	unsigned reason = show->reply.protocol_status - 1u;

	return fcgi_fail(FCGI_NOT_FASTCGI, "%s did not run the request: %s", new_line(show),
	                 reason < ARRAY_SIZE(reasons) ? reasons[reason] : "it gave no reason");
}

int fcgi_show_end(const struct fcgi_show *show)
{
	if (show->reply.protocol_status != 0)
		return refused(show);
	if (!show->head_done)
		return fcgi_fail(FCGI_NOT_FASTCGI, "the answer of %s has no end of the headers",
		                 new_line(show));
	if (show->status == 0)
		return fcgi_fail(FCGI_HTTP_ERROR, "%s answered with a status that is none",
		                 new_line(show));
	if (show->status >= HTTP_ERROR)
		return fcgi_fail(FCGI_HTTP_ERROR, "%s answered %d%s", new_line(show), show->status,
		                 show->script_unknown
		                         ? "; SCRIPT is the path of a file as PHP-FPM sees it"
		                         : "");
	if (show->line_open)
		fputc('\n', stderr);
	return FCGI_WELL;
}

/* So few bytes that no record was read, and yet it is plain that none begins so. */
static bool begins_wrong(const struct fcgi_show *show)
{
	return show->received > 0 && show->received < FASTCGI_HEAD_SIZE && show->began[0] != 1;
}

int fcgi_show_cut(const struct fcgi_show *show, int error)
{
	unsigned long long received = show->received;
	const char *how = error ? strerror(error) : "the connection was closed";

	if (begins_wrong(show))
		return no_fastcgi(show);
	if (received > 0)
		return fcgi_fail(
			FCGI_CUT,
			"the answer of %s was cut off after %llu bytes (%s): PHP-FPM's log "
			"says whether a worker died",
			new_line(show), received, how);
	return fcgi_fail(FCGI_NO_ANSWER,
	                 "no answer from %s (%s): PHP-FPM's log says whether a worker died, or "
	                 "`listen.allowed_clients` does not name us",
	                 new_line(show), how);
}

int fcgi_show_late(const struct fcgi_show *show)
{
	unsigned long long received = show->received;

	if (begins_wrong(show))
		return no_fastcgi(show);
	if (received > 0)
		return fcgi_fail(FCGI_TIMEOUT,
		                 "the answer of %s did not end in time, %llu bytes came; --timeout "
		                 "waits longer",
		                 new_line(show), received);
	return fcgi_fail(FCGI_TIMEOUT,
	                 "no answer from %s in time: all workers are busy, the script takes longer "
	                 "(--timeout), or that does not speak FastCGI",
	                 new_line(show));
}
