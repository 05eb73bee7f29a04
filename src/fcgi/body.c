#include "fcgi/body.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi/fail.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

enum { SMALL = 64 * 1024 };

static int no_input(int error)
{
	return fcgi_fail(FCGI_NO_INPUT, "cannot read the body from stdin: %s", strerror(error));
}

/* Fill @buffer, but for the end of stdin.  Returns an exit status. */
static int read_piece(uint64_t until_ms, char buffer[SMALL], size_t *length)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	for (*length = 0; *length < SMALL;) {
		uint64_t now = clock_ms();

		if (now >= until_ms || poll(&p, 1, (int)(until_ms - now)) == 0)
			return fcgi_fail(FCGI_TIMEOUT, "stdin, which is the body, did not end in "
			                               "time; </dev/null is no body");
		ssize_t n = read(STDIN_FILENO, buffer + *length, SMALL - *length);
		if (n < 0)
			return no_input(errno);
		if (n == 0)
			break;
		*length += (size_t)n;
	}
	return FCGI_WELL;
}

/* A file of no name; -errno. */
static int make_file(const char **directory)
{
	char path[4096];
	struct text text = TEXT(path);

	*directory = getenv("TMPDIR");
	if (!*directory || **directory == '\0')
		*directory = "/tmp";
	text_add(&text, "%s/twinit-body-XXXXXX", *directory);
	int fd = text.cut ? -1 : mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return text.cut ? -ENAMETOOLONG : -errno;
	(void)unlink(path);
	return fd;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

static int no_room(const char *directory, int error)
{
	return fcgi_fail(FCGI_NO_INPUT,
	                 "cannot keep the body in %s: %s; give it as a file (<FILE), say its size "
	                 "(CONTENT_LENGTH=N), or set TMPDIR",
	                 directory, strerror(-error));
}

static int copy(uint64_t until_ms, struct fcgi_body *body)
{
	static char buffer[SMALL];
	const char *directory = "memory";
	size_t length;
	int r = read_piece(until_ms, buffer, &length);

	if (r != FCGI_WELL || length == 0)
		return r;
	_cleanup_close_ int fd =
		length < SMALL ? memfd_create("twinit-body", MFD_CLOEXEC) : make_file(&directory);
	if (fd < 0)
		return no_room(directory, length < SMALL ? -errno : fd);
	for (; r == FCGI_WELL && length > 0; r = read_piece(until_ms, buffer, &length)) {
		int error = write_all(fd, buffer, length);

		if (error < 0)
			return no_room(directory, error);
		body->size += length;
	}
	if (r == FCGI_WELL && lseek(fd, 0, SEEK_SET) < 0)
		return no_room(directory, -errno);
	body->sized = true;
	body->fd = TAKE_FD(fd);
	return r;
}

int fcgi_body_open(bool any_size, uint64_t until_ms, struct fcgi_body *body)
{
	off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);
	struct stat st;

	*body = (struct fcgi_body){ .fd = FD_NONE };
	if (isatty(STDIN_FILENO))
		return FCGI_WELL;
	if (fstat(STDIN_FILENO, &st) < 0)
		return no_input(errno);
	if (S_ISREG(st.st_mode) && at >= 0) {
		body->sized = true;
		body->size = st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
	} else if (!any_size) {
		return copy(until_ms, body);
	}
	if (!body->sized || body->size > 0)
		body->fd = STDIN_FILENO;
	return FCGI_WELL;
}

void fcgi_body_done(struct fcgi_body *body)
{
	if (body->fd != STDIN_FILENO)
		fd_close(&body->fd);
}
