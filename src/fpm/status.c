#include "fpm/status.h"

#include <errno.h>
#include <string.h>

#include "util/macros.h"

struct scanner {
	const char *at;
	const char *end;
};

/* The bytes between the quotes of a string, as they stand there. */
struct span {
	const char *start;
	size_t length;
};

/* Called with the scanner at a member's value, which it must take. */
typedef bool member_fn(struct scanner *scanner, struct span key, void *context);

static const char *const state_names[] = {
	[WORKER_IDLE] = "Idle",           [WORKER_READING_HEADERS] = "Reading headers",
	[WORKER_RUNNING] = "Running",     [WORKER_FINISHING] = "Finishing",
	[WORKER_OTHER] = "another state",
};

const char *worker_state_name(enum worker_state state)
{
	return state_names[state];
}

static void skip_blanks(struct scanner *scanner)
{
	while (scanner->at < scanner->end && strchr(" \t\r\n", *scanner->at) && *scanner->at)
		scanner->at++;
}

/* The next byte that is not blank, or NUL at the end. */
static char peek(struct scanner *scanner)
{
	skip_blanks(scanner);
	return (char)(scanner->at < scanner->end ? *scanner->at : '\0');
}

static bool take(struct scanner *scanner, char wanted)
{
	if (peek(scanner) != wanted || scanner->at == scanner->end)
		return false;
	scanner->at++;
	return true;
}

static bool take_string(struct scanner *scanner, struct span *span)
{
	if (!take(scanner, '"'))
		return false;
	span->start = scanner->at;
	for (; scanner->at < scanner->end; scanner->at++) {
		if (*scanner->at == '"') {
			span->length = (size_t)(scanner->at - span->start);
			scanner->at++;
			return true;
		}
		if (*scanner->at == '\\' && ++scanner->at == scanner->end)
			return false;
	}
	return false;
}

static bool is(struct span span, const char *text)
{
	return span.length == strlen(text) && memcmp(span.start, text, span.length) == 0;
}

/* Digits of a number without sign; stops growing before it overflows. */
static bool take_number(struct scanner *scanner, unsigned long long *number)
{
	char first = peek(scanner);

	if (first < '0' || first > '9')
		return false;
	for (*number = 0; scanner->at < scanner->end; scanner->at++) {
		if (*scanner->at < '0' || *scanner->at > '9')
			break;
		if (*number < (unsigned long long)-1 / 10 - 9)
			*number = *number * 10 + (unsigned)(*scanner->at - '0');
	}
	return true;
}

/* Whatever else is there: numbers with sign and fraction, true, null, nested things. */
static bool skip_value(struct scanner *scanner)
{
	size_t depth = 0;
	struct span ignored;
	const char *start = scanner->at;

	for (;;) {
		char c = peek(scanner);

		if (scanner->at == scanner->end)
			return false;
		if (depth == 0 && strchr(",]}", c))
			return scanner->at > start;
		if (c == '"') {
			if (!take_string(scanner, &ignored))
				return false;
			continue;
		}
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		scanner->at++;
	}
}

static bool each_member(struct scanner *scanner, member_fn *member, void *context)
{
	struct span key;

	if (!take(scanner, '{'))
		return false;
	if (take(scanner, '}'))
		return true;
	do {
		if (!take_string(scanner, &key) || !take(scanner, ':') ||
		    !member(scanner, key, context))
			return false;
	} while (take(scanner, ','));
	return take(scanner, '}');
}

struct process {
	unsigned long long pid;
	bool has_state;
	enum worker_state state;
};

static enum worker_state state_of(struct span name)
{
	for (size_t i = 0; i < WORKER_OTHER; i++)
		if (is(name, state_names[i]))
			return (enum worker_state)i;
	return WORKER_OTHER;
}

/* The first "state" counts: what FPM itself writes stands before what a visitor sent. */
static bool process_member(struct scanner *scanner, struct span key, void *context)
{
	struct process *process = context;
	struct span name;

	if (is(key, "pid") && process->pid == 0)
		return take_number(scanner, &process->pid);
	if (!is(key, "state") || process->has_state)
		return skip_value(scanner);
	if (!take_string(scanner, &name))
		return false;
	process->has_state = true;
	process->state = state_of(name);
	return true;
}

static void count(struct fpm_status *status, const struct process *process)
{
	status->processes++;
	if (process->state == WORKER_IDLE)
		return;
	status->reading_headers += process->state == WORKER_READING_HEADERS;
	if (status->busy++ == 0) {
		status->busy_pid = (int)process->pid;
		status->busy_state = process->state;
	}
}

static bool take_processes(struct scanner *scanner, struct fpm_status *status)
{
	if (!take(scanner, '['))
		return false;
	if (take(scanner, ']'))
		return true;
	do {
		struct process process = { .state = WORKER_OTHER };

		if (!each_member(scanner, process_member, &process) || !process.has_state)
			return false;
		count(status, &process);
	} while (take(scanner, ','));
	return take(scanner, ']');
}

struct page {
	struct fpm_status status;
	bool has_processes;
};

static const struct {
	const char *key;
	size_t offset;
} numbers[] = {
	{ "accepted conn", offsetof(struct fpm_status, accepted) },
	{ "listen queue", offsetof(struct fpm_status, queue) },
	{ "max listen queue", offsetof(struct fpm_status, queue_max) },
	{ "max active processes", offsetof(struct fpm_status, active_max) },
	{ "max children reached", offsetof(struct fpm_status, children_max) },
	{ "slow requests", offsetof(struct fpm_status, slow) },
};

static bool page_member(struct scanner *scanner, struct span key, void *context)
{
	struct page *page = context;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (is(key, numbers[i].key))
			return take_number(scanner,
			                   (void *)((char *)&page->status + numbers[i].offset));
	if (!is(key, "processes") || page->has_processes)
		return skip_value(scanner);
	page->has_processes = true;
	return take_processes(scanner, &page->status);
}

int fpm_status_parse(const char *body, size_t size, struct fpm_status *status)
{
	struct scanner scanner = { .at = body, .end = body + size };
	struct page page = { .has_processes = false };

	if (!each_member(&scanner, page_member, &page) || !page.has_processes)
		return -EBADMSG;
	skip_blanks(&scanner);
	if (scanner.at != scanner.end)
		return -EBADMSG;
	*status = page.status;
	return 0;
}
