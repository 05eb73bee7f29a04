/*
 * Any bytes as what `twinit fcgi` gets for an answer, in one piece and in many: the same goes to
 * stdout, whoever reads that may stop or leave, and our own sentences are plain text.
 *
 * The input: how it is cut and read, then the answer.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

#include "fcgi/fail.h"
#include "fcgi/show.h"

enum { ANSWER_MAX = 32 * 1024, SLOW = 0x10, LEAVES = 0x20, FULL = 0x40, CLOSED = 0x80 };

struct shown {
	char out[ANSWER_MAX];
	size_t size;
	int status;
};

static struct shown *shown; /* NULL: what is written is the fuzzer's own */
static uint8_t how;
static bool tired;

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

static ssize_t fail(int error)
{
	errno = error;
	return -1;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
	if (!shown)
		return __real_write(fd, bytes, size);
	if (fd != STDOUT_FILENO)
		return (ssize_t)size;
	if (shown->size > 0 && (how & (LEAVES | FULL)))
		return fail(how & LEAVES ? EPIPE : ENOSPC);
	tired = !tired;
	if ((how & SLOW) && tired)
		return fail(EAGAIN);
	assert(size > 0 && size <= sizeof(shown->out) - shown->size);
	if (how & SLOW)
		size = 1;
	memcpy(shown->out + shown->size, bytes, size);
	shown->size += size;
	return (ssize_t)size;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	if (!shown)
		return __real_poll(fds, count, timeout_ms);
	assert(count == 1 && fds->events == POLLOUT);
	return 1;
}

static void show(const uint8_t *data, size_t size, size_t piece, struct shown *to)
{
	static struct fcgi_show show;

	to->size = 0;
	to->status = FCGI_WELL;
	shown = to;
	fcgi_show_init(&show, "www/1", how & 1);
	for (size_t at = 0; at < size && to->status == FCGI_WELL && !show.reply.ended; at += piece)
		to->status =
			fcgi_show_feed(&show, data + at, size - at < piece ? size - at : piece);
	if (to->status == FCGI_WELL && show.reply.ended)
		to->status = fcgi_show_end(&show);
	else if (to->status == FCGI_WELL)
		to->status = how & CLOSED ? fcgi_show_cut(&show, how & 1 ? ECONNRESET : 0)
		                          : fcgi_show_late(&show);
	assert(show.reply.ended || to->status != FCGI_WELL);
	shown = NULL;
}

/* Bytes above ASCII are as they came: names in some encoding. */
static void check(const char *text, size_t size)
{
	assert(size == 0 || text[size - 1] == '\n');
	for (size_t i = 0; i < size; i++)
		assert(text[i] == '\n' || ((unsigned char)text[i] >= ' ' && text[i] != 0x7f));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct shown whole, pieces;
	FILE *const err = stderr;
	char *said = NULL;
	size_t said_size = 0;

	if (size < 1 || size > ANSWER_MAX)
		return 0;
	how = data[0];
	stderr = open_memstream(&said, &said_size);
	assert(stderr);
	show(data + 1, size - 1, size, &whole);
	show(data + 1, size - 1, 1 + how % 16, &pieces);
	(void)fclose(stderr);
	stderr = err;
	check(said, said_size);
	free(said);
	if (!(how & (LEAVES | FULL)))
		assert(whole.size == pieces.size && memcmp(whole.out, pieces.out, whole.size) == 0);
	return 0;
}
