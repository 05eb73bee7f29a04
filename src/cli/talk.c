#include "cli/talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "config/load.h"
#include "config/run_dirs.h"
#include "util/cleanup.h"

/* Somebody has left a socket there that we may not use. */
static int not_welcome(const char *run_dir)
{
	struct stat st;

	fprintf(stderr, "twinit: the twinit in %s answers only root", run_dir);
	if (stat(run_dir, &st) == 0 && st.st_uid != 0)
		fprintf(stderr, " and user %u", (unsigned)st.st_uid);
	fprintf(stderr, ", not user %u\n", (unsigned)geteuid());
	return -1;
}

static int no_twinit(const char *where, int error)
{
	const char *cause = error == -ENOENT || error == -ECONNREFUSED ? "nobody is there"
	                    : error == -EPIPE                          ? "it refused us"
	                                                               : strerror(-error);

	fprintf(stderr,
	        "twinit: no running twinit at %s (%s); set TWINIT_RUN_DIR to its run_dir if it is "
	        "elsewhere\n",
	        where, cause);
	return -1;
}

static char found_in[CONFIG_PATH_SIZE];

const char *talk_run_dir(void)
{
	return found_in;
}

static int open_usual(const struct wire_request *request)
{
	int error = -ENOENT;

	for (size_t i = 0; run_dirs[i]; i++) {
		int fd = connection_open(run_dirs[i], request);

		if (fd >= 0) {
			text_copy_cut(found_in, sizeof(found_in), run_dirs[i]);
			return fd;
		}
		if (fd == -EACCES)
			return not_welcome(run_dirs[i]);
		if (fd != -ENOENT)
			error = fd;
	}
	return no_twinit("/run/twinit, /dev/shm/twinit or /tmp/twinit", error);
}

int talk_name(struct wire_request *request, const char *app)
{
	if (text_copy(request->app, sizeof(request->app), app))
		return 0;
	fprintf(stderr, "twinit: no app has so long a name: %s\n", app);
	return USAGE_STATUS;
}

int talk_open(const struct wire_request *request)
{
	static struct config config;
	char error[CONFIG_ERROR_SIZE];
	const char *run_dir = getenv("TWINIT_RUN_DIR");
	int fd;

	/* A broken configuration must not keep anybody from asking what runs. */
	if (!run_dir && config_load(getenv("TWINIT_CONFIG"), environ, &config, error, NULL) >= 0 &&
	    config.run_dir_set)
		run_dir = config.run_dir;
	if (!run_dir || run_dir[0] == '\0')
		return open_usual(request);
	fd = connection_open(run_dir, request);
	text_copy_cut(found_in, sizeof(found_in), run_dir);
	if (fd == -EACCES)
		return not_welcome(run_dir);
	return fd < 0 ? no_twinit(run_dir, fd) : fd;
}

int talk_listen(int fd, int patience_ms,
                void (*on_reply)(const struct wire_reply *reply, void *context), void *context)
{
	struct wire_reply reply;
	int r;

	while ((r = connection_receive(fd, &reply, patience_ms)) >= 0) {
		if (reply.kind == WIRE_END) {
			if (reply.end.text[0] != '\0')
				fprintf(reply.end.exit_status == 0 ? stdout : stderr,
				        "twinit: %s\n", reply.end.text);
			return reply.end.exit_status;
		}
		on_reply(&reply, context);
		if (reply.kind == WIRE_SESSIONS)
			fd_close(&reply.sessions.findings_fd);
	}
	fprintf(stderr, "twinit: %s\n",
	        r == -ECONNRESET  ? "the running twinit refused or ended the conversation"
	        : r == -ETIMEDOUT ? "the running twinit does not answer"
	                          : strerror(-r));
	return EXIT_FAILURE;
}

/* In words of a sentence, or @brief for a column. */
static const char *time_text(uint64_t ms, bool brief, char to[32])
{
	const char *gap = brief ? "" : " ";
	uint64_t tenths_ms = brief ? 10 * 1000 : 120 * 1000; /* seconds below it have tenths */

	if (ms < 1000)
		snprintf(to, 32, "%u%sms", (unsigned)ms, gap);
	else if (ms < tenths_ms)
		snprintf(to, 32, "%u.%u%ss", (unsigned)(ms / 1000), (unsigned)(ms % 1000 / 100),
		         gap);
	else if (ms < 120 * 1000)
		snprintf(to, 32, "%u%ss", (unsigned)(ms / 1000), gap);
	else if (ms < 120 * 60 * 1000)
		snprintf(to, 32, "%u%s", (unsigned)(ms / 60000), brief ? "m" : " min");
	else if (ms < 48ull * 3600 * 1000)
		snprintf(to, 32, "%u%sh", (unsigned)(ms / 3600000), gap);
	else
		snprintf(to, 32, "%llu%sd", (unsigned long long)(ms / 86400000), gap);
	return to;
}

const char *talk_time(uint64_t ms, char to[32])
{
	return time_text(ms, false, to);
}

const char *talk_short_time(uint64_t ms, char to[32])
{
	return time_text(ms, true, to);
}

const char *talk_number(uint64_t number, unsigned thousand, char to[32])
{
	static const char units[] = "kMGTPE";
	uint64_t whole = number, rest = 0;
	int unit = -1;

	while (whole >= thousand) {
		rest = whole % thousand;
		whole /= thousand;
		unit++;
	}
	if (unit < 0)
		snprintf(to, 32, "%llu", (unsigned long long)whole);
	else if (whole < 100)
		snprintf(to, 32, "%llu.%u%c", (unsigned long long)whole,
		         (unsigned)(rest * 10 / thousand), units[unit]);
	else
		snprintf(to, 32, "%llu%c", (unsigned long long)whole, units[unit]);
	return to;
}
