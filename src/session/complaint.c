#include "session/complaint.h"

#include <errno.h>
#include <string.h>

#include "session/meaning.h"
#include "session/verdict.h"
#include "session/where.h"
#include "util/text.h"

enum {
	QUOTE_MAX = 120, /* bytes of the server's own words */
	CODE_MAX = 16,
	TLS_ALERT = 0x15, /* the first byte of a TLS server's answer to plain text */
};

struct subject subject_init(const struct store_address *store, const struct target *target,
                            uint32_t timeout_ms, struct store_report *report)
{
	struct subject subject = { .store = store, .report = report, .timeout_ms = timeout_ms };
	struct text where = TEXT(subject.where);

	where_add(&where, store);
	if (target->text[0] && strcmp(target->text, store->host) != 0)
		text_add(&where, " (%s)", target->text);
	return subject;
}

static const char *connect_fix(const struct store_address *store, int error)
{
	switch (-error) {
	case ECONNREFUSED:
		return "is Redis running?";
	case ENOENT:
		return "is Redis running, and is its socket's directory shared with this "
		       "container?";
	case EACCES:
		return "may the pool's user write to the socket (unixsocketperm)?";
	case EAGAIN: /* unix(7): its backlog is full */
		return "Redis does not accept connections fast enough";
	default:
		return store->port == 0
		               ? "check the path in session.save_path"
		               : "is it in the same network, and does no firewall stop it?";
	}
}

void complaint_connect(const struct subject *subject, int error, char *why, size_t size)
{
	struct text text = text_init(why, size);

	text_add(&text, "cannot connect to %s: ", subject->where);
	if (error == -ETIMEDOUT)
		text_add(&text, "no answer within %u ms", subject->timeout_ms);
	else
		text_add(&text, "%s", strerror(-error));
	text_add(&text, "; %s", connect_fix(subject->store, error));
}

static bool holds_secret(const char *words, const struct store_address *store)
{
	char beginning[9];

	if (!store->password[0])
		return false;
	text_copy_cut(beginning, sizeof(beginning), store->password);
	return strstr(words, beginning);
}

/* The first word of an error, when it is a code such as WRONGPASS; ERR says nothing. */
static void add_code(struct text *text, const char *words)
{
	size_t length = strspn(words, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	bool code = length > strlen("ERR") && length < CODE_MAX &&
	            (words[length] == ' ' || words[length] == '\0');

	if (code)
		text_add(text, "%.*s", (int)length, words);
	else
		text_add(text, "an error");
}

/*
 * A server that does not know AUTH repeats its arguments ("unknown command `AUTH`, with args
 * beginning with: ...").
 */
static void add_words(struct text *text, const struct store_address *store, enum step step,
                      const char *answer)
{
	char words[QUOTE_MAX + 1];

	text_copy_cut(words, sizeof(words), answer);
	for (char *c = words; *c; c++)
		if (*c == '\'')
			*c = '`'; /* reads better than \x27 */
	if (step == STEP_AUTH || holds_secret(answer, store))
		add_code(text, words);
	else
		text_add_quoted(text, words);
}

void complaint_error(const struct subject *subject, enum step step, const char *words)
{
	const struct meaning *meaning = meaning_of(words);
	struct text text;

	if (!verdict_begin(subject->report, subject->store, &text))
		return;
	if (meaning)
		text_add(&text, "%s %s (%s: ", subject->where, meaning->means, step_name(step));
	else
		text_add(&text, "%s answers %s with ", subject->where, step_name(step));
	add_words(&text, subject->store, step, words);
	if (meaning)
		text_add(&text, "); %s", meaning->fix);
	else if (step == STEP_AUTH)
		text_add(&text, "; is AUTH renamed or forbidden there?");
}

void complaint_answer(const struct subject *subject, enum step step, const char *what)
{
	verdict_fail(subject->report, subject->store, "%s answers %s with %s", subject->where,
	             step_name(step), what);
}

/* An answer, but none of Redis. */
static const char *strange_answer(int error, char first)
{
	if (error == -EOVERFLOW)
		return "more than any Redis would; is it Redis?";
	if (first == TLS_ALERT)
		return "TLS; write tls:// in session.save_path";
	return "what is not Redis' protocol; check host and port in session.save_path";
}

void complaint_silence(const struct subject *subject, enum step step, int error, char first)
{
	struct store_report *report = subject->report;

	switch (-error) {
	case EBADMSG:
	case EOVERFLOW:
		complaint_answer(subject, step, strange_answer(error, first));
		return;
	case ETIMEDOUT:
		verdict_fail(report, subject->store, "%s does not answer %s within %u ms",
		             subject->where, step_name(step), subject->timeout_ms);
		return;
	case ENODATA:
	case ECONNRESET:
	case EPIPE:
		verdict_fail(report, subject->store,
		             "%s closes the connection instead of answering %s; is it Redis, and "
		             "does it want TLS?",
		             subject->where, step_name(step));
		return;
	default:
		verdict_fail(report, subject->store, "%s: cannot ask %s: %s", subject->where,
		             step_name(step), strerror(-error));
	}
}
