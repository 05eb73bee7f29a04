#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/findings_json.h"
#include "cli/json.h"
#include "cli/talk.h"
#include "session/finding_file.h"
#include "session/store.h"
#include "util/cleanup.h"

enum { STORES_PATIENCE_MS = 30000 };

static const char *const states[] = {
	[STORE_NOT_ASKED] = "not asked",
	[STORE_OK] = "ok",
	[STORE_FAILED] = "failed",
};

/* A failure that twinit itself adds, when the helper died or `verify` demands more, is one too. */
static void read_findings(const struct wire_sessions *s, struct findings *findings)
{
	memset(findings, 0, sizeof(*findings));
	if (s->findings_fd >= 0 && finding_file_read(s->findings_fd, findings) < 0)
		memset(findings, 0, sizeof(*findings));
	if (s->state == STORE_FAILED && !findings_first(findings, FINDING_FAILED))
		findings_note(findings, s->findings_fd < 0 ? FINDING_ANSWER : FINDING_HANDLER,
		              FINDING_FAILED, "sessions", NULL, "%s", s->reason);
}

static void on_text(const struct wire_reply *reply, void *context)
{
	static struct findings findings;
	char sentence[sizeof(struct finding)];

	(void)context;
	if (reply->kind != WIRE_SESSIONS)
		return;
	read_findings(&reply->sessions, &findings);
	for (uint32_t i = 0; i < findings.count; i++) {
		const struct finding *f = &findings.list[i];

		finding_sentence(f, sentence, sizeof(sentence));
		printf("%s: %s: %s: %s\n", reply->sessions.app, finding_result_name(f->result),
		       finding_name(f->id), sentence);
	}
	if (findings.left_off > 0)
		printf("%s: %u more findings are left off\n", reply->sessions.app,
		       findings.left_off);
}

static void on_json(const struct wire_reply *reply, void *context)
{
	static struct findings findings;
	const struct wire_sessions *s = &reply->sessions;

	if (reply->kind != WIRE_SESSIONS)
		return;
	read_findings(s, &findings);
	json_t *app = json_object();
	json_object_set_new(app, "name", text_json(s->app));
	json_object_set_new(app, "state", text_json(states[s->state]));
	json_object_set_new(app, "where", text_json(s->where));
	json_object_set_new(app, "stores", json_integer(s->stores));
	json_object_set_new(app, "latency_us", json_integer(s->latency_us));
	json_object_set_new(app, "findings", findings_json(&findings));
	json_object_set_new(app, "members", members_json(&findings));
	json_object_set_new(app, "left_off", json_integer(findings.left_off));
	json_array_append_new(context, app);
}

static int print_json(int fd)
{
	json_begin();
	json_t *root = json_object();
	json_t *apps = json_array();
	int status = talk_listen(fd, STORES_PATIENCE_MS, on_json, apps);

	json_object_set_new(root, "apps", apps);
	if (json_array_size(apps) > 0)
		return json_print(root) ? status : EXIT_FAILURE;
	json_decref(root);
	return status;
}

static int run(int argc, char *argv[])
{
	struct wire_request request = { .command = COMMAND_SESSIONS };
	bool json = false;
	int r;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else if (argv[i][0] == '-' || request.app[0] != '\0')
			return command_usage(&sessions_command, "unexpected argument", argv[i]);
		else if ((r = talk_name(&request, argv[i])) != 0)
			return r;
	}
	_cleanup_close_ int fd = talk_open(&request);
	if (fd < 0)
		return EXIT_FAILURE;
	return json ? print_json(fd) : talk_listen(fd, STORES_PATIENCE_MS, on_text, NULL);
}

const struct command sessions_command = {
	.name = "sessions",
	.arguments = "[--json] [APP]",
	.summary = "ask the session stores now",
	.help = "Connects to every Redis that a pool's session.save_path names, keeps a session\n"
		"there for a moment as PHP would, looks at how the server is set up and at who\n"
		"else keeps sessions there.  One line a finding: ok, warning, failed, unknown (we\n"
		"may not look) or not asked; what was seen, and what to do.\n"
		"\n"
		"  --json   the same for scripts\n"
		"\n"
		"Exit status: 0 nothing failed, 1 something did, or there is no running twinit,\n"
		"64 usage, or no such app.\n"
		"\n"
		"Example: twinit sessions www\n",
	.run = run,
};
