#include "question/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine/filter.h"
#include "process/helper.h"
#include "util/cleanup.h"
#include "util/text.h"

#define BLANKS " \t"

enum {
	WORDS_MAX = 64,
	VARIABLE_SIZE = 256,
	SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
};

static void answer_with(int answer_fd, enum notify_kind kind, const char *text)
{
	struct notify_answer answer = { .kind = kind };

	text_copy_cut(answer.text, sizeof(answer.text), text);
	helper_answer(answer_fd, &answer, sizeof(answer));
}

/* --- the facts --- */

static int hide(const char *name)
{
	char file[VARIABLE_SIZE];
	struct text text = TEXT(file);

	text_add(&text, "%s_FILE", name);
	return unsetenv(name) < 0 || unsetenv(file) < 0 ? -errno : 0;
}

static int hide_secrets(const char *names)
{
	char name[VARIABLE_SIZE];
	int r = 0;

	while (r >= 0 && *(names += strspn(names, BLANKS)) != '\0') {
		size_t length = strcspn(names, BLANKS);
		struct text text = TEXT(name);

		text_add(&text, "%.*s", (int)length, names);
		r = hide(name);
		names += length;
	}
	return r;
}

/* "release" as TWINIT_RELEASE. */
static int set_variable(const struct notify_fact *fact)
{
	char name[VARIABLE_SIZE];
	struct text text = TEXT(name);

	text_add(&text, "TWINIT_%s", fact->key);
	for (char *c = name; *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	return setenv(name, fact->value, 1) < 0 ? -errno : 0;
}

static int make_environment(const struct notify_query *query)
{
	environ = query->environment;
	int r = hide_secrets(query->secrets);

	for (size_t i = 0; r >= 0 && i < query->fact_count; i++)
		r = set_variable(&query->facts[i]);
	return r;
}

/* A name on disk need not be UTF-8, which JSON is. */
static json_t *json_of(const struct notify_fact *fact)
{
	char plain[NOTIFY_VALUE_SIZE];
	json_t *value = fact->number ? json_integer(strtoll(fact->value, NULL, 10))
	                             : json_string(fact->value);

	if (value)
		return value;
	text_copy_cut(plain, sizeof(plain), fact->value);
	for (char *c = plain; *c; c++)
		if (*c & 0x80)
			*c = '?';
	return json_string(plain);
}

static int write_json(const struct notify_query *query, int fd)
{
	json_t *object = json_object();
	int r = object ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < query->fact_count; i++)
		r = json_object_set_new(object, query->facts[i].key, json_of(&query->facts[i])) < 0
		            ? -ENOMEM
		            : 0;
	if (r >= 0 && (json_dumpfd(object, fd, JSON_COMPACT) < 0 || write(fd, "\n", 1) != 1))
		r = -ENOMEM;
	json_decref(object);
	return r;
}

/* A file in memory: nobody has to write while the program reads, or does not. */
static int open_json(const struct notify_query *query, int *json_fd)
{
	_cleanup_close_ int fd = memfd_create("event", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : write_json(query, fd);

	if (r >= 0 && (lseek(fd, 0, SEEK_SET) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0))
		r = -errno;
	if (r >= 0)
		*json_fd = TAKE_FD(fd);
	return r;
}

/* --- the program --- */

static int split(char *command, char *argv[WORDS_MAX])
{
	size_t count = 0;
	char *rest;

	for (char *word = strtok_r(command, BLANKS, &rest); word;
	     word = strtok_r(NULL, BLANKS, &rest)) {
		if (count == WORDS_MAX - 1)
			return -E2BIG;
		argv[count++] = word;
	}
	argv[count] = NULL;
	return count > 0 ? 0 : -ENOENT;
}

/* PHP's stricter list, whatever `confine` says: telling others needs no more. */
static int execute(const struct notify_query *query, int json_fd, int output_fd)
{
	char command[CONFIG_PATH_SIZE];
	char *argv[WORDS_MAX];
	int r;

	text_copy_cut(command, sizeof(command), query->command);
	r = split(command, argv);
	if (r >= 0)
		r = make_environment(query);
	/* A helper that is killed leaves nobody who would end what hangs. */
	if (r >= 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(json_fd, STDIN_FILENO) < 0 ||
	               dup2(output_fd, STDOUT_FILENO) < 0 || dup2(output_fd, STDERR_FILENO) < 0))
		r = -errno;
	if (r >= 0)
		r = filter_load(FILTER_BIT(FILTER_ALLOW_STRICT));
	if (r < 0)
		return r;
	(void)signal(SIGPIPE, SIG_DFL);
	umask(query->umask);
	execve(argv[0], argv, environ);
	return -errno;
}

/* --- what it prints --- */

struct output {
	int answer_fd;
	unsigned lines;
	size_t length;
	char line[NOTIFY_LINE_SIZE + 1];
};

static void end_line(struct output *output)
{
	output->line[output->length] = '\0';
	output->length = 0;
	if (output->lines < NOTIFY_LINES_MAX)
		answer_with(output->answer_fd, NOTIFY_LINE, output->line);
	else if (output->lines == NOTIFY_LINES_MAX)
		answer_with(output->answer_fd, NOTIFY_CUT, "");
	if (output->lines <= NOTIFY_LINES_MAX)
		output->lines++;
}

static void take(struct output *output, char byte)
{
	if (byte == '\n') {
		end_line(output);
		return;
	}
	if (output->length == NOTIFY_LINE_SIZE)
		end_line(output);
	output->line[output->length++] = (char)(byte == '\0' ? '?' : byte);
}

/* Until all who hold the other end are gone. */
static int relay_output(int fd, int answer_fd)
{
	static struct output output;
	char buffer[4096];
	ssize_t n;

	output = (struct output){ .answer_fd = answer_fd };
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < n && output.lines <= NOTIFY_LINES_MAX; i++)
			take(&output, buffer[i]);
	if (output.length > 0)
		end_line(&output);
	return n < 0 ? -errno : 0;
}

/* --- all of it --- */

static void explain_end(int status, struct text *why)
{
	if (WIFSIGNALED(status))
		text_add(why, "was killed by signal %d (%s)", WTERMSIG(status),
		         strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		text_add(why, "exited with status %d", WEXITSTATUS(status));
}

/* What the program does to its whole group, as timeout(1) does, is not for us, who tell of it. */
static void outlive_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, before);
}

static int wait_for(pid_t pid, int failure_fd, int output_fd, int answer_fd, struct text *why)
{
	int failure, status;
	int r = relay_output(output_fd, answer_fd);

	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	if (read(failure_fd, &failure, sizeof(failure)) == (ssize_t)sizeof(failure))
		return failure;
	explain_end(status, why);
	return r;
}

static int run(const struct notify_query *query, int answer_fd, struct text *why)
{
	_cleanup_close_ int json = FD_NONE;
	int output[2], failure[2];
	sigset_t before;
	int r = open_json(query, &json);

	if (r < 0)
		return r;
	if (pipe2(output, O_CLOEXEC) < 0 || pipe2(failure, O_CLOEXEC) < 0)
		return -errno;
	outlive_signals(&before);
	pid_t pid = fork();
	if (pid == 0) {
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		r = execute(query, json, output[1]);
		(void)!write(failure[1], &r, sizeof(r));
		_exit(EXIT_FAILURE);
	}
	if (pid < 0)
		return -errno;
	fd_close(&output[1]);
	fd_close(&failure[1]);
	return wait_for(pid, failure[0], output[0], answer_fd, why);
}

void notify_run(const void *query, int answer_fd)
{
	char sentence[NOTIFY_LINE_SIZE];
	struct text why = TEXT(sentence);
	int r = run(query, answer_fd, &why);

	if (r < 0)
		text_add(&why, "cannot be run: %s", strerror(-r));
	answer_with(answer_fd, why.length > 0 ? NOTIFY_FAILED : NOTIFY_DONE, sentence);
	(void)kill(0, SIGKILL);
}
