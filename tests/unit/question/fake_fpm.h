/*
 * fake_fpm.h - a child that answers FastCGI requests on a unix socket as it was told to.
 */
#pragma once

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../util/scratch.h"
#include "util/macros.h"

enum fake_kind {
	FAKE_END,    /* of the list: the answer before it is given again and again */
	FAKE_BODY,   /* a whole answer with this body */
	FAKE_PAGE,   /* a whole answer: its CGI head and body are given */
	FAKE_RAW,    /* these bytes */
	FAKE_SILENT, /* none, and the connection stays open */
	FAKE_CLOSE,  /* none */
};

struct fake_answer {
	enum fake_kind kind;
	const char *text;
};

static inline void fake_record(int fd, uint8_t type, const char *data, size_t size)
{
	const uint8_t header[8] = { 1, type, 0, 1, (uint8_t)(size >> 8), (uint8_t)size, 0, 0 };

	if (write(fd, header, sizeof(header)) < 0 || write(fd, data, size) < 0)
		_exit(EXIT_FAILURE);
}

static inline void fake_page(int fd, const char *text)
{
	fake_record(fd, 6, text, strlen(text));
	fake_record(fd, 3, "\0\0\0\0\0\0\0", 8);
}

static inline void fake_body(int fd, const char *text)
{
	static const char head[] = "Status: 200 OK\r\nContent-type: text/plain\r\n\r\n";

	fake_record(fd, 6, head, strlen(head));
	fake_page(fd, text);
}

/* Until the empty record that ends its stdin; true when it asks for @script. */
static inline bool fake_read(int fd, const char *script)
{
	static const char end[] = { 1, 5, 0, 1, 0, 0, 0, 0 };
	char request[4096];
	size_t length = 0;

	while (length < sizeof(end) ||
	       memcmp(request + length - sizeof(end), end, sizeof(end)) != 0) {
		ssize_t n = read(fd, request + length, sizeof(request) - length);

		if (n <= 0)
			return false;
		length += (size_t)n;
	}
	return memmem(request, length, script, strlen(script)) != NULL;
}

static inline void fake_serve(int listener, const char *script, const struct fake_answer *answers)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(EXIT_FAILURE);
		if (!fake_read(fd, script))
			fake_body(fd, "another script was asked for");
		else if (answers->kind == FAKE_BODY)
			fake_body(fd, answers->text);
		else if (answers->kind == FAKE_PAGE)
			fake_page(fd, answers->text);
		else if (answers->kind == FAKE_RAW &&
		         write(fd, answers->text, strlen(answers->text)) < 0)
			_exit(EXIT_FAILURE);
		if (answers->kind != FAKE_SILENT)
			close(fd);
		if (answers[1].kind != FAKE_END)
			answers++;
	}
}

static inline int fake_listen(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(un.sun_path));
	memcpy(un.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/*
 * Start one on the socket @path that gives each request for @script the next of @answers.  It
 * listens already when this returns.
 */
static inline pid_t fake_fpm(const char *path, const char *script,
                             const struct fake_answer *answers)
{
	int listener = fake_listen(path);

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(30); /* a guard */
		fake_serve(listener, script, answers);
	}
	assert_true(pid > 0);
	close(listener);
	return pid;
}

static inline void fake_end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}
