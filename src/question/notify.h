/* notify.h - run the operator's program for an event (`on_event`), and see how it ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"

enum {
	NOTIFY_FACTS_MAX = 20,
	NOTIFY_KEY_SIZE = 16,
	NOTIFY_VALUE_SIZE = 1024,
	NOTIFY_LINES_MAX = 64,   /* of what it prints, in one run */
	NOTIFY_LINE_SIZE = 1024, /* a longer one becomes several */
};

/* "release", which is $TWINIT_RELEASE and "release" in JSON. */
struct notify_fact {
	char key[NOTIFY_KEY_SIZE];
	bool number; /* @value has digits only */
	char value[NOTIFY_VALUE_SIZE];
};

struct notify_query {
	const char *command; /* a path and arguments, separated by blanks */
	char **environment;  /* NULL-terminated; secrets are taken out, the facts added */
	const char *secrets; /* names of variables that it does not get */
	mode_t umask;
	size_t fact_count;
	struct notify_fact facts[NOTIFY_FACTS_MAX];
};

enum notify_kind {
	NOTIFY_LINE,   /* text: it printed this */
	NOTIFY_CUT,    /* it prints more than is kept */
	NOTIFY_DONE,   /* it ended with status 0 */
	NOTIFY_FAILED, /* text: what went wrong */
};

struct notify_answer {
	enum notify_kind kind;
	char text[NOTIFY_LINE_SIZE + 1];
};

/*
 * A question's run: takes a struct notify_query and answers a few times, the last time with
 * NOTIFY_DONE or NOTIFY_FAILED.  The program has the facts in its environment, and on stdin as one
 * JSON object.  It has ended when all who hold its output have; what is left of its process group
 * then is killed.
 */
void notify_run(const void *query, int answer_fd);
