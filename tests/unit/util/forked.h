/*
 * forked.h - run a part of a test in a child of its own, whose power, signals and descriptors it
 * may change.
 *
 * CHECK() is assert_true() for both: cmocka's own would go on with the next test in the child.
 */
#pragma once

#include <stdbool.h>
#include <sys/mman.h>

#include "leaks.h"

struct forked_note {
	const char *file, *text;
	int line, error;
};

static struct forked_note *forked_note;
static bool forked_inside; /* this is the child */

#define CHECK(condition)                                                                           \
	((condition) ? (void)0 : forked_fail(__FILE__, __LINE__, #condition, errno))

/* Parent and child are one program, so that pointers to its texts mean the same in both. */
static inline __attribute__((__noreturn__)) void forked_fail(const char *file, int line,
                                                             const char *text, int error)
{
	if (!forked_inside) {
		print_error("%s does not hold (errno: %s)\n", text, strerror(error));
		_fail(file, line);
		abort();
	}
	*forked_note = (struct forked_note){ file, text, line, error };
	_exit(99);
}

/* Run run(context) in a child and return its wait status. */
static inline int forked_status(void (*run)(void *), void *context)
{
	int status = -1;

	if (!forked_note)
		forked_note = mmap(NULL, sizeof(*forked_note), PROT_READ | PROT_WRITE,
		                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(forked_note != MAP_FAILED);
	forked_note->file = NULL;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		forked_inside = true;
		alarm(60); /* a guard: whoever hangs shall not hang the others */
		run(context);
		_exit(EXIT_SUCCESS);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* The same, and every CHECK() in it must hold; @says is whose row it is. */
static inline void in_child_row(const char *says, void (*run)(void *), void *context)
{
	int status = forked_status(run, context);

	if (forked_note->file)
		fail_msg("%s%s%s:%d: %s does not hold (errno: %s)", says, *says ? ": " : "",
		         forked_note->file, forked_note->line, forked_note->text,
		         strerror(forked_note->error));
	if (status != 0)
		fail_msg("%s%sthe child's wait status is %#x", says, *says ? ": " : "", status);
}

static inline void in_child(void (*run)(void *), void *context)
{
	in_child_row("", run, context);
}

/* Tests that need root say nothing elsewhere. */
static inline void only_as_root(void)
{
	if (geteuid() != 0)
		skip();
}
