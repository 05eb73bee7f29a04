#include "session/probe.h"

#include <errno.h>
#include <string.h>

#include "session/step.h"
#include "util/clock.h"
#include "util/text.h"

void probe_init(struct probe *probe, const struct store_address *store, const struct needs *needs,
                const struct target *target, bool cluster, uint32_t timeout_ms,
                struct findings *findings)
{
	*probe = (struct probe){ .store = store, .needs = needs, .target = target };
	follow_init(&probe->link, store, cluster);
	probe->subject = subject_init(store, target, timeout_ms, findings);
	sample_make(&probe->sample, store->prefix);
}

void probe_done(struct probe *probe)
{
	follow_done(&probe->link);
}

int probe_connect(struct probe *probe, uint64_t deadline_us)
{
	uint64_t start = clock_us();

	probe->link.resp.deadline_us = deadline_us;
	probe->error =
		resp_connect(&probe->link.resp, &probe->target->at.any, probe->target->length,
	                     probe->store->tls ? probe->store->host : NULL);
	probe->took_us = clock_us() - start;
	return probe->error;
}

/* A wrong answer that is no error. */
static void complain(const struct probe *probe, enum step step, const redisReply *reply)
{
	const struct subject *subject = &probe->subject;
	bool of_key = step_finding(step) != FINDING_AUTH && step != STEP_PING;

	if (step == STEP_READ && reply->type == REDIS_REPLY_NIL)
		complaint_answer(subject, FINDING_WRITE, step,
		                 "nothing, although the key was written just now",
		                 "does it evict keys, or are several stores behind this address?");
	else if (step == STEP_READ && reply->type == REDIS_REPLY_STRING)
		complaint_answer(subject, FINDING_WRITE, step,
		                 "another value than the one written just now", NULL);
	else
		complaint_answer(subject, of_key ? step_finding(step) : FINDING_PROTOCOL, step,
		                 "something else than Redis does", "is it Redis?");
}

static void judge_any(const struct probe *probe, enum step step, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR)
		complaint_error(&probe->subject, step, reply->str);
	else
		complain(probe, step, reply);
}

/* TTL is asked for our own sake: PHP has no use for it. */
static void judge_ttl(const struct probe *probe, const redisReply *reply)
{
	struct findings *findings = probe->subject.findings;

	if (reply->type == REDIS_REPLY_INTEGER)
		findings_note(findings, FINDING_EXPIRY, FINDING_FAILED, probe->subject.name,
		              "is it Redis, or a proxy that does not know SETEX?",
		              "keeps a key without the expiry that it was written with: sessions "
		              "would never end");
	else
		findings_note(findings, FINDING_EXPIRY, FINDING_UNKNOWN, probe->subject.name,
		              "allow +ttl to have it checked", "its user may not ask for TTL");
}

/* What is forbidden makes phpredis throw; what is unknown makes it go on with EVAL. */
static void judge_cached(const struct probe *probe, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ERROR || !text_begins(reply->str, "ERR")) {
		judge_any(probe, STEP_UNLOCK_CACHED, reply);
		return;
	}
	findings_note(probe->subject.findings, FINDING_LOCK_COMMANDS, FINDING_WARNING,
	              probe->subject.name, NULL,
	              "does not know EVALSHA, so that each release of a lock takes PHP two "
	              "questions");
}

/*
 * PHP needs no PING, so that a user without it is fine; it finds LOADING and NOAUTH early.  A lock
 * that was not taken cannot be released.
 */
static bool is_forgiven(const struct probe *probe, enum step step, const redisReply *reply)
{
	bool error = reply->type == REDIS_REPLY_ERROR;

	return (step == STEP_PING && error && text_begins(reply->str, "NOPERM")) ||
	       (step == STEP_UNLOCK && !error && !probe->right[STEP_LOCK]);
}

/* Returns 0 when the conversation can go on, or -EREMOTEIO. */
static int judge(struct probe *probe, enum step step, const redisReply *reply)
{
	probe->right[step] = step_is_right(step, &probe->sample, reply);
	if (probe->right[step] || is_forgiven(probe, step, reply))
		return 0;
	if (step == STEP_TTL)
		judge_ttl(probe, reply);
	else if (step == STEP_UNLOCK_CACHED)
		judge_cached(probe, reply);
	else
		judge_any(probe, step, reply);
	return step_is_vital(step) ? -EREMOTEIO : 0;
}

static int run_step(struct probe *probe, enum step step)
{
	redisReply *reply = NULL;
	struct command command;

	if (!step_command(step, probe->store, probe->needs, &probe->sample, &command))
		return 0;
	int r = follow_ask(&probe->link, command.count, command.words, &reply);
	if (r < 0) {
		complaint_silence(&probe->subject, step, r, probe->link.resp.first);
		return r;
	}
	r = judge(probe, step, reply);
	freeReplyObject(reply);
	if (r == 0 && resp_has_more(&probe->link.resp)) {
		complaint_answer(&probe->subject, FINDING_PROTOCOL, step, "more than it was asked",
		                 "is it Redis?");
		return -EBADMSG;
	}
	return r;
}

static void run_steps(struct probe *probe, enum step first, enum step end)
{
	uint64_t start = clock_us();

	for (enum step step = first; probe->error == 0 && step < end; step++)
		probe->error = run_step(probe, step);
	probe->took_us += clock_us() - start;
}

void probe_login(struct probe *probe)
{
	run_steps(probe, STEP_AUTH, STEP_PING);
}

void probe_use(struct probe *probe)
{
	run_steps(probe, STEP_PING, STEP_DELETE);
	probe->written = probe->right[STEP_WRITE];
}

/* Were all that are needed right? */
static bool all_right(const struct probe *probe, enum finding_id about, struct text *names)
{
	struct command command;

	for (enum step step = STEP_AUTH; step < STEP_COUNT; step++) {
		if (step_finding(step) != about ||
		    !step_command(step, probe->store, probe->needs, &probe->sample, &command))
			continue;
		if (!probe->right[step])
			return false;
		text_add(names, "%s%s", names->length ? ", " : "", step_name(step));
	}
	return names->length > 0;
}

static void note_right(const struct probe *probe, enum finding_id id)
{
	char list[128];
	struct text names = TEXT(list);

	if (all_right(probe, id, &names))
		findings_note(probe->subject.findings, id, FINDING_OK, probe->subject.name, NULL,
		              "%s %s as PHP needs %s", list, strchr(list, ',') ? "work" : "works",
		              strchr(list, ',') ? "them" : "it");
}

static void note_all_right(const struct probe *probe)
{
	char list[128];
	struct text names = TEXT(list);

	if (all_right(probe, FINDING_WRITE, &names))
		findings_note(
			probe->subject.findings, FINDING_WRITE, FINDING_OK, probe->subject.name,
			NULL, "a session was written, read and deleted in %u.%u ms",
			(unsigned)(probe->took_us / 1000), (unsigned)(probe->took_us % 1000 / 100));
	if (probe->right[STEP_TTL])
		findings_note(probe->subject.findings, FINDING_EXPIRY, FINDING_OK,
		              probe->subject.name, NULL,
		              "a session has the expiry that it was "
		              "written with");
	note_right(probe, FINDING_COMMANDS);
	note_right(probe, FINDING_LOCK_COMMANDS);
}

void probe_finish(struct probe *probe, uint64_t deadline_us)
{
	probe->link.resp.deadline_us = deadline_us;
	if (probe->written)
		run_steps(probe, STEP_DELETE, STEP_COUNT);
	note_all_right(probe);
}
