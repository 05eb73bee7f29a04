#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/gather.h"
#include "cli/json.h"
#include "cli/run.h"
#include "config/load.h"
#include "doctor/doctor.h"
#include "question/checkup.h"
#include "util/text.h"

enum { WIDTH = 80, INDENT = 9, WORDS_MAX = 64 };

/* --- as text --- */

/* Print @text word by word from @column on, with line breaks before WIDTH. */
static void print_wrapped(const char *text, size_t column)
{
	bool first = true;

	while (*(text += strspn(text, " ")) != '\0') {
		size_t length = strcspn(text, " ");

		if (!first && column + 1 + length > WIDTH) {
			printf("\n%*s", INDENT, "");
			column = INDENT;
		} else if (!first) {
			putchar(' ');
			column++;
		}
		printf("%.*s", (int)length, text);
		column += length;
		text += length;
		first = false;
	}
	putchar('\n');
}

static void print_one(const struct diagnosis *d)
{
	char line[sizeof(struct diagnosis)];
	struct text text = TEXT(line);

	text_add(&text, "%s: %s%s%s", diagnosis_name(d->id), d->subject, d->subject[0] ? ": " : "",
	         d->seen);
	printf("%-*s", INDENT, diagnosis_result_name(d->result));
	print_wrapped(line, INDENT);
	if (d->fix[0] == '\0')
		return;
	text = TEXT(line);
	text_add(&text, "-> %s", d->fix);
	printf("%*s", INDENT, "");
	print_wrapped(line, INDENT);
}

static void print_text(const struct diagnoses *d)
{
	for (unsigned i = 0; i < d->count; i++)
		print_one(&d->list[i]);
	if (d->left_off > 0)
		printf("%u more are left off\n", d->left_off);
	printf("%u ok, %u warning%s, %u problem%s\n", d->results[DIAGNOSIS_OK],
	       d->results[DIAGNOSIS_WARNING], d->results[DIAGNOSIS_WARNING] == 1 ? "" : "s",
	       d->results[DIAGNOSIS_PROBLEM], d->results[DIAGNOSIS_PROBLEM] == 1 ? "" : "s");
}

/* --- as JSON --- */

static json_t *one_json(const struct diagnosis *d)
{
	json_t *one = json_object();

	json_object_set_new(one, "result", text_json(diagnosis_result_name(d->result)));
	json_object_set_new(one, "id", text_json(diagnosis_name(d->id)));
	json_object_set_new(one, "subject", text_json(d->subject));
	json_object_set_new(one, "seen", text_json(d->seen));
	json_object_set_new(one, "fix", text_json(d->fix));
	return one;
}

static bool print_json(const struct diagnoses *d)
{
	json_begin();
	json_t *root = json_object();
	json_t *list = json_array();

	for (unsigned i = 0; i < d->count; i++)
		json_array_append_new(list, one_json(&d->list[i]));
	json_object_set_new(root, "version", text_json(TWINIT_VERSION));
	json_object_set_new(root, "ok", json_integer(d->results[DIAGNOSIS_OK]));
	json_object_set_new(root, "warnings", json_integer(d->results[DIAGNOSIS_WARNING]));
	json_object_set_new(root, "problems", json_integer(d->results[DIAGNOSIS_PROBLEM]));
	json_object_set_new(root, "left_off", json_integer(d->left_off));
	json_object_set_new(root, "findings", list);
	return json_print(root);
}

/* --- the command --- */

/* Here, because config_load() has no place for a context. */
static struct diagnoses diagnoses;

static void on_ignored(const char *sentence)
{
	doctor_note_ignored(sentence, &diagnoses);
}

static uint32_t longest_stop(const struct config *config)
{
	uint32_t longest = 0;

	for (size_t i = 0; i < config->app_count; i++)
		if (config->apps[i].stop_timeout_ms > longest)
			longest = config->apps[i].stop_timeout_ms;
	return longest;
}

/*
 * How the twinit that runs was told its configuration by its command line: returns the file that it
 * reads, NULL for the usual one.  What an inherited CMD says goes to the environment, as there.
 */
static const char *file_of(struct gathered *g)
{
	const char *file = getenv("TWINIT_CONFIG");
	char *argv[WORDS_MAX];
	int argc = 0;

	for (char *word = g->command; word < g->command + g->command_size && argc < WORDS_MAX;
	     word += strlen(word) + 1)
		argv[argc++] = word;
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[1], "run") == 0 && strcmp(argv[i], "--config") == 0)
			file = argv[i + 1];
	if (argc > 1 && run_is_fpm(argc - 1, argv + 1) && !run_take_fpm(argc - 1, argv + 1))
		fprintf(stderr, "twinit check: no memory for the arguments of %s\n", argv[1]);
	return file;
}

static void check(const struct config *config, const struct gathered *gathered)
{
	static struct app_facts app;
	struct host_facts host;

	doctor_judge_config(config->file, &diagnoses);
	checkup_host(&host);
	host.twinit_known = gathered->found;
	host.twinit_uid = gathered->uid;
	doctor_judge_host(&host, &gathered->twinit, longest_stop(config), &diagnoses);
	for (size_t i = 0; i < config->app_count; i++) {
		gather_app(config, i, gathered, &app);
		doctor_judge_app(&app, &host, &diagnoses);
	}
}

static int run(int argc, char *argv[])
{
	static struct config config;
	static struct gathered gathered;
	char error[CONFIG_ERROR_SIZE];
	bool usable, json = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") != 0)
			return command_usage(&check_command, "unexpected argument", argv[i]);
		json = true;
	}
	/* Where it runs is said by the configuration, and what the configuration is by who runs. */
	usable = config_load(getenv("TWINIT_CONFIG"), environ, &config, error, NULL) >= 0;
	gather_twinit(usable ? &config : NULL, &gathered);
	const char *file = file_of(&gathered); /* may change the environment */
	if (config_load(file, environ, &config, error, on_ignored) < 0) {
		fprintf(stderr, "twinit check: %s\n", error);
		return CONFIG_STATUS;
	}
	check(&config, &gathered);
	if (json && !print_json(&diagnoses))
		return EXIT_FAILURE;
	if (!json)
		print_text(&diagnoses);
	return diagnoses.results[DIAGNOSIS_PROBLEM] > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct command check_command = {
	.name = "check",
	.arguments = "[--json]",
	.summary = "what could be better here, and how",
	.help = "Looks at kernel, container, release, PHP, pools and session stores as twinit\n"
		"finds them, with or without a running twinit; it says more when one runs.  Each\n"
		"finding is ok, warning or problem, with what was seen and (->) what to change;\n"
		"doc/check.md explains them.\n"
		"\n"
		"  --json   the same for scripts\n"
		"\n"
		"Exit status: 0 no problem (there may be warnings), 1 problems, 64 usage, 78\n"
		"configuration.\n"
		"\n"
		"Example: docker run --rm IMAGE twinit check\n",
	.run = run,
};
