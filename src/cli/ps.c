#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/overview.h"
#include "cli/processes.h"
#include "cli/table.h"
#include "cli/talk.h"

enum { DEPTH_MAX = 16 };

enum column {
	COLUMN_PID,
	COLUMN_WHAT,
	COLUMN_RELEASE,
	COLUMN_STATE,
	COLUMN_AGE,
	COLUMN_MEMORY,
	COLUMN_TITLE,
	COLUMN_COUNT,
};

static const struct table_column columns[] = {
	[COLUMN_PID] = { "PID", .right = true },      [COLUMN_WHAT] = { "WHAT", .least = 12 },
	[COLUMN_RELEASE] = { "RELEASE", .least = 4 }, [COLUMN_STATE] = { .title = "STATE" },
	[COLUMN_AGE] = { "AGE", .right = true },      [COLUMN_MEMORY] = { "MEM", .right = true },
	[COLUMN_TITLE] = { "PROCESS", .least = 8 },
};

struct tree {
	const struct overview *overview;
	const struct process_view *top; /* twinit */
	struct processes processes;
	struct table table;
};

static const struct wire_replica *master_of(const struct overview *overview, pid_t pid)
{
	for (unsigned i = 0; i < overview->app_count; i++)
		for (unsigned k = 0; k < overview->apps[i].replica_count; k++)
			if (overview->apps[i].replicas[k].wire.pid == (uint32_t)pid)
				return &overview->apps[i].replicas[k].wire;
	return NULL;
}

static bool is_master(const struct tree *tree, pid_t pid)
{
	return master_of(tree->overview, pid) != NULL;
}

/* A helper is a fork without exec, so it is called as twinit is. */
static const char *kind_of(const struct tree *tree, const struct process_view *process)
{
	if (process->state == 'Z')
		return "zombie";
	if (process == tree->top)
		return "twinit";
	if (is_master(tree, process->parent))
		return "worker";
	if (process->parent != tree->top->pid)
		return "";
	return strcmp(process->title, tree->top->title) == 0 ? "helper" : "orphan";
}

static void set_master(struct table_cell *cells, const struct wire_replica *r)
{
	const char *word = r->rescue                     ? " late"
	                   : r->group == GROUP_CANDIDATE ? " new"
	                   : r->group == GROUP_OLD       ? " old"
	                                                 : "";

	cell_set(&cells[COLUMN_WHAT], "%s/%u%s", r->app, r->number, word);
	cell_set(&cells[COLUMN_RELEASE], "%s", r->release);
	cell_set(&cells[COLUMN_STATE], "%s", master_state_name(r->state));
}

static void add_row(struct tree *tree, const struct process_view *process, int depth)
{
	const struct wire_replica *master = master_of(tree->overview, process->pid);
	struct table_cell *cells = table_row(&tree->table);
	char text[32];

	if (!cells)
		return;
	cell_set(&cells[COLUMN_PID], "%d", process->pid);
	if (master)
		set_master(cells, master);
	else
		cell_set(&cells[COLUMN_WHAT], "%s", kind_of(tree, process));
	cell_set(&cells[COLUMN_AGE], "%s", talk_short_time(process->age_ms, text));
	if (process->has_memory)
		cell_set(&cells[COLUMN_MEMORY], "%s", talk_number(process->memory, 1024, text));
	cell_set(&cells[COLUMN_TITLE], "%*s%s", 2 * depth, "", process->title);
}

/* The child of @pid that comes next from *@at on, or NULL. */
static const struct process_view *next_child(const struct processes *processes, pid_t pid,
                                             unsigned *at)
{
	while (*at < processes->count) {
		const struct process_view *process = &processes->list[(*at)++];

		if (process->parent == pid)
			return process;
	}
	return NULL;
}

/* A process, then its children: what is deeper than DEPTH_MAX is left out. */
static void add_tree(struct tree *tree)
{
	struct {
		pid_t pid;
		unsigned at;
	} path[DEPTH_MAX] = { { .pid = tree->top->pid } };
	int depth = 1;

	add_row(tree, tree->top, 0);
	while (depth > 0) {
		const struct process_view *child =
			next_child(&tree->processes, path[depth - 1].pid, &path[depth - 1].at);

		if (!child) {
			depth--;
			continue;
		}
		add_row(tree, child, depth);
		if (depth < DEPTH_MAX) {
			path[depth].pid = child->pid;
			path[depth++].at = 0;
		}
	}
}

static int print_tree(struct tree *tree)
{
	pid_t pid = (pid_t)tree->overview->container.pid;

	processes_read(&tree->processes);
	for (unsigned i = 0; i < tree->processes.count; i++)
		if (tree->processes.list[i].pid == pid)
			tree->top = &tree->processes.list[i];
	if (!tree->overview->here || !tree->top) {
		fprintf(stderr,
		        "twinit: the running twinit is in another PID namespace; run twinit "
		        "ps in its container, for example with docker exec\n");
		return EXIT_FAILURE;
	}
	table_init(&tree->table, columns, COLUMN_COUNT);
	add_tree(tree);
	table_print(&tree->table, false);
	return EXIT_SUCCESS;
}

static int run(int argc, char *argv[])
{
	static struct tree tree;

	if (argc > 1)
		return command_usage(&ps_command, "unexpected argument", argv[1]);
	int r = overview_ask("", 0, false, &tree.overview);

	return r != EXIT_SUCCESS ? r : print_tree(&tree);
}

const struct command ps_command = {
	.name = "ps",
	.arguments = "",
	.summary = "show the tree of processes",
	.help = "WHAT is APP/REPLICA for a master (\"new\" and \"old\": of a roll; \"late\": "
		"serves\n"
		"who came late to an abandoned lane), worker, helper (asks something for\n"
		"twinit), orphan (its parent has gone, so twinit collects it) or zombie (waits\n"
		"to be collected).  MEM is what the process has in memory for itself.\n"
		"\n"
		"Exit status: 0 the tree was shown, 1 there is no running twinit in the PID\n"
		"namespace of the command, 64 usage.\n"
		"\n"
		"Example: docker exec CONTAINER twinit ps\n",
	.run = run,
};
