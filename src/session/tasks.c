#include "session/tasks.h"

#include "util/text.h"

static bool is_member(const struct members *members, const char *address)
{
	for (uint32_t i = 0; i < members->count; i++)
		if (member_has_address(&members->list[i], address))
			return true;
	return false;
}

static void note_unknown(int error, const char *service, const char *subject,
                         struct findings *findings)
{
	if (error < 0)
		findings_note(findings, FINDING_TASKS, FINDING_UNKNOWN, subject,
		              "does the name server answer?",
		              "whether all tasks are here cannot be told: tasks.%s is not answered",
		              service);
	else
		findings_note(findings, FINDING_TASKS, FINDING_UNKNOWN, subject,
		              "set service in [sessions] to the name of the Swarm service",
		              "whether all tasks are here cannot be told: there is no name "
		              "tasks.%s",
		              service);
}

static void compare(const struct tasks *tasks, const char *service, const struct members *members,
                    const char *subject, struct findings *findings)
{
	char list[FINDING_TEXT_SIZE / 2];
	struct text missing = TEXT(list);

	for (int i = 0; i < tasks->count; i++)
		if (!is_member(members, tasks->targets[i].text))
			text_add(&missing, "%s%s", missing.length ? ", " : "",
			         tasks->targets[i].text);
	if (missing.length == 0)
		findings_note(findings, FINDING_TASKS, FINDING_OK, subject, NULL,
		              "all %d tasks of tasks.%s keep their sessions here", tasks->count,
		              service);
	else
		findings_note(findings, FINDING_TASKS, FINDING_WARNING, subject,
		              "give all tasks the same session.save_path, and one Redis behind it",
		              "tasks.%s names %s%s, which keeps no sessions here: it uses another "
		              "store, or has just started",
		              service, list, missing.cut ? "..." : "");
}

void tasks_compare(struct tasks *tasks, const char *service, const struct members *members,
                   const char *subject, struct findings *findings)
{
	if (!tasks->asked)
		tasks->count = resolve_tasks(service, 0, tasks->targets);
	tasks->asked = true;
	if (tasks->count <= 0)
		note_unknown(tasks->count, service, subject, findings);
	else
		compare(tasks, service, members, subject, findings);
}
