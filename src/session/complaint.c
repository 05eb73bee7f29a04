#include "session/complaint.h"

#include <errno.h>
#include <string.h>

#include "session/meaning.h"
#include "session/where.h"
#include "util/text.h"

enum {
	QUOTE_MAX = 120, /* bytes of the server's own words */
	CODE_MAX = 16,
	TLS_ALERT = 0x15, /* the first byte of a TLS server's answer to plain text */
};

struct subject subject_init(const struct store_address *store, const struct target *target,
                            uint32_t timeout_ms, struct findings *findings)
{
	struct subject subject = { .store = store, .findings = findings, .timeout_ms = timeout_ms };
	struct text name = TEXT(subject.name);

	where_add(&name, store);
	if (target && target->text[0] && strcmp(target->text, store->host) != 0)
		text_add(&name, " (%s)", target->text);
	if (store->database >= 0)
		text_add(&name, ", database %d", store->database);
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

void complaint_connect(const struct subject *subject, int error, bool goes_on)
{
	char cause[64];
	struct text text = TEXT(cause);

	if (error == -ETIMEDOUT)
		text_add(&text, "no answer within %u ms", subject->timeout_ms);
	else
		text_add(&text, "%s", strerror(-error));
	findings_note(subject->findings, FINDING_CONNECT,
	              goes_on ? FINDING_WARNING : FINDING_FAILED, subject->name,
	              connect_fix(subject->store, error), "cannot connect: %s%s", cause,
	              goes_on ? " (PHP goes on to the next address)" : "");
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
	char answer[2 * FINDING_TEXT_SIZE];
	struct text text = TEXT(answer);

	add_words(&text, subject->store, step, words);
	if (meaning)
		findings_note(subject->findings, meaning->id, FINDING_FAILED, subject->name,
		              meaning->fix, "%s (%s: %s)", meaning->means, step_name(step), answer);
	else
		findings_note(subject->findings, step_finding(step), FINDING_FAILED, subject->name,
		              step == STEP_AUTH ? "is AUTH renamed or forbidden there?" : NULL,
		              "answers %s with %s", step_name(step), answer);
}

void complaint_answer(const struct subject *subject, enum finding_id id, enum step step,
                      const char *what, const char *fix)
{
	findings_note(subject->findings, id, FINDING_FAILED, subject->name, fix,
	              "answers %s with %s", step_name(step), what);
}

/* An answer, but none of Redis. */
static const char *strange_fix(int error, char first)
{
	if (error == -EOVERFLOW)
		return "is it Redis?";
	if (first == TLS_ALERT)
		return "write tls:// in session.save_path";
	return "check host and port in session.save_path";
}

static const char *strange_answer(int error, char first)
{
	if (error == -EOVERFLOW)
		return "more than any Redis would";
	return first == TLS_ALERT ? "TLS" : "what is not Redis' protocol";
}

void complaint_silence(const struct subject *subject, enum step step, int error, char first)
{
	struct findings *findings = subject->findings;

	switch (-error) {
	case EBADMSG:
	case EOVERFLOW:
		findings_note(findings, FINDING_PROTOCOL, FINDING_FAILED, subject->name,
		              strange_fix(error, first), "answers %s with %s", step_name(step),
		              strange_answer(error, first));
		return;
	case ETIMEDOUT:
		findings_note(findings, FINDING_ANSWER, FINDING_FAILED, subject->name,
		              "is it hung, overloaded or behind a firewall?",
		              "does not answer %s within %u ms", step_name(step),
		              subject->timeout_ms);
		return;
	case ENODATA:
	case ECONNRESET:
	case EPIPE:
		findings_note(findings, FINDING_ANSWER, FINDING_FAILED, subject->name,
		              "is it Redis, and does it want TLS?",
		              "closes the connection instead of answering %s", step_name(step));
		return;
	default:
		findings_note(findings, FINDING_ANSWER, FINDING_FAILED, subject->name, NULL,
		              "cannot be asked %s: %s", step_name(step), strerror(-error));
	}
}
