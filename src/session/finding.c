#include "session/finding.h"

#include <string.h>

#include "util/text.h"

static const char *const names[FINDING_ID_COUNT] = {
	[FINDING_HANDLER] = "handler",
	[FINDING_SAVE_PATH] = "save-path",
	[FINDING_LOCKING] = "locking",
	[FINDING_LOCK_EXPIRY] = "lock-expiry",
	[FINDING_RESOLVE] = "resolve",
	[FINDING_CONNECT] = "connect",
	[FINDING_TLS] = "tls",
	[FINDING_ANSWER] = "answer",
	[FINDING_PROTOCOL] = "protocol",
	[FINDING_AUTH] = "auth",
	[FINDING_ACL] = "acl",
	[FINDING_DATABASE] = "database",
	[FINDING_LOADING] = "loading",
	[FINDING_ROLE] = "role",
	[FINDING_CLUSTER] = "cluster",
	[FINDING_WRITE] = "write",
	[FINDING_EXPIRY] = "expiry",
	[FINDING_COMMANDS] = "commands",
	[FINDING_LOCK_COMMANDS] = "lock-commands",
	[FINDING_EVICTION] = "eviction",
	[FINDING_PERSISTENCE] = "persistence",
	[FINDING_MEMORY] = "memory",
	[FINDING_CLIENTS] = "clients",
	[FINDING_SPLIT] = "split",
	[FINDING_MEMBERS] = "members",
	[FINDING_HOSTNAME] = "hostname",
	[FINDING_TASKS] = "tasks",
	[FINDING_LOCKS] = "locks",
	[FINDING_CHAIN] = "chain",
	[FINDING_STORES] = "stores",
};

static const char *const result_names[FINDING_RESULT_COUNT] = {
	[FINDING_OK] = "ok",           [FINDING_NOT_ASKED] = "not asked",
	[FINDING_UNKNOWN] = "unknown", [FINDING_WARNING] = "warning",
	[FINDING_FAILED] = "failed",
};

const char *finding_name(uint32_t id)
{
	return id < FINDING_ID_COUNT ? names[id] : "?";
}

const char *finding_result_name(uint32_t result)
{
	return result < FINDING_RESULT_COUNT ? result_names[result] : "?";
}

static bool is_noted(const struct findings *findings, const struct finding *fresh)
{
	for (uint32_t i = 0; i < findings->count; i++) {
		const struct finding *old = &findings->list[i];

		if (old->id == fresh->id && old->result == fresh->result &&
		    strcmp(old->subject, fresh->subject) == 0 &&
		    strcmp(old->seen, fresh->seen) == 0)
			return true;
	}
	return false;
}

static void keep(struct findings *findings, const struct finding *fresh)
{
	struct finding *last = &findings->list[FINDINGS_MAX - 1];

	if (findings->count < FINDINGS_MAX) {
		findings->list[findings->count++] = *fresh;
		return;
	}
	findings->left_off++;
	if (fresh->result > last->result)
		*last = *fresh;
}

void findings_note(struct findings *findings, enum finding_id id, enum finding_result result,
                   const char *subject, const char *fix, const char *format, ...)
{
	struct finding fresh = { .id = id, .result = result };
	struct text seen = TEXT(fresh.seen);
	va_list args;

	if (!findings)
		return;
	text_copy_cut(fresh.subject, sizeof(fresh.subject), subject);
	text_copy_cut(fresh.fix, sizeof(fresh.fix), fix ? fix : "");
	va_start(args, format);
	text_vadd(&seen, format, args);
	va_end(args);
	if (!is_noted(findings, &fresh))
		keep(findings, &fresh);
}

void findings_note_sentence(struct findings *findings, enum finding_id id,
                            enum finding_result result, const char *subject, const char *sentence)
{
	const char *fix = strstr(sentence, "; write ");
	size_t length = fix ? (size_t)(fix - sentence) : strlen(sentence);

	findings_note(findings, id, result, subject, fix ? fix + strlen("; ") : NULL, "%.*s",
	              (int)length, sentence);
}

const struct finding *findings_first(const struct findings *findings, enum finding_result result)
{
	for (uint32_t i = 0; i < findings->count; i++)
		if (findings->list[i].result == result)
			return &findings->list[i];
	return NULL;
}

void finding_sentence(const struct finding *finding, char *to, size_t size)
{
	struct text text = text_init(to, size);

	text_add(&text, "%s: %s%s%s", finding->subject, finding->seen, finding->fix[0] ? "; " : "",
	         finding->fix);
}
