#include "session/probe.h"

#include <errno.h>

#include "session/complaint.h"
#include "session/resp.h"
#include "session/sample.h"
#include "session/step.h"
#include "util/clock.h"
#include "util/text.h"

/* PHP needs no PING, so that a user without it is fine; it finds LOADING and NOAUTH early. */
static bool is_forgiven(enum step step, const redisReply *reply)
{
	return step == STEP_PING && text_begins(reply->str, "NOPERM");
}

/* What a wrong answer that is no error is called. */
static const char *describe(enum step step, const redisReply *reply)
{
	if (step == STEP_READ && reply->type == REDIS_REPLY_NIL)
		return "nothing, although the key was written just now; does it evict keys, or are "
		       "several stores behind this address?";
	if (step == STEP_READ && reply->type == REDIS_REPLY_STRING)
		return "another value than the one written just now";
	return "something else than Redis does; is it Redis?";
}

/* Returns 0, or -EREMOTEIO after saying what is wrong. */
static int judge(const struct subject *subject, enum step step, const struct sample *sample,
                 const redisReply *reply)
{
	if (step_is_right(step, sample, reply))
		return 0;
	if (reply->type != REDIS_REPLY_ERROR)
		complaint_answer(subject, step, describe(step, reply));
	else if (is_forgiven(step, reply))
		return 0;
	else
		complaint_error(subject, step, reply->str);
	return -EREMOTEIO;
}

static int run_step(const struct subject *subject, struct resp *resp, enum step step,
                    const struct sample *sample)
{
	redisReply *reply = NULL;
	struct command command;

	if (!step_command(step, subject->store, sample, &command))
		return 0;
	int r = resp_ask(resp, command.count, command.words, &reply);
	if (r < 0) {
		complaint_silence(subject, step, r, resp->first);
		return r;
	}
	r = judge(subject, step, sample, reply);
	freeReplyObject(reply);
	if (r == 0 && resp_has_more(resp)) {
		complaint_answer(subject, step, "more than it was asked; is it Redis?");
		return -EBADMSG;
	}
	return r;
}

static void run_steps(const struct subject *subject, struct resp *resp)
{
	struct sample sample;
	int r = 0;

	sample_make(&sample, subject->store->prefix);
	for (int step = 0; r == 0 && step < STEP_COUNT; step++)
		r = run_step(subject, resp, (enum step)step, &sample);
}

bool probe(const struct store_address *store, const struct target *target, uint32_t timeout_ms,
           struct store_report *report, char *why, size_t size)
{
	uint64_t start = clock_us();
	struct subject subject = subject_init(store, target, timeout_ms, report);
	struct resp resp = resp_init(start + (uint64_t)timeout_ms * 1000);
	int r = resp_connect(&resp, &target->at.any, target->length);

	if (r < 0)
		complaint_connect(&subject, r, why, size);
	else if (!store->tls)
		run_steps(&subject, &resp);
	resp_done(&resp);

	uint64_t took = clock_us() - start;
	if (r == 0 && took > report->latency_us)
		report->latency_us = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
	return r == 0;
}
