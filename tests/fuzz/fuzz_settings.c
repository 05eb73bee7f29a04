/*
 * Anything that PHP-FPM prints and the image's /etc/passwd and /etc/group say: the settings helper
 * ends with an answer that PID 1 may use, the files for the replicas keep each value on its line
 * and each path in its quotes.  And any bytes as that helper's answer: what PID 1 takes holds
 * together.
 *
 * The input: flags, then php-fpm -i, php-fpm -tt, passwd, group, the release and PHP's complaint
 * without OPcache's lock file, 0xff between them.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#include "config/load.h"
#include "fpm/dump.h"
#include "process/helper.h"
#include "question/limits.h"
#include "question/program.h"
#include "question/settings.h"
#include "session/doubts.h"
#include "session/plan.h"
#include "session/store.h"
#include "util/cleanup.h"
#include "util/text.h"

enum { PART_END = 0xff, TEXT_MAX = 1 << 16, OUTPUTS_MAX = 2 };

/* What is asked for, and what goes wrong. */
enum {
	AGAIN = 1,  /* the configuration is read again */
	PATH = 2,   /* isolation = path */
	FULL = 4,   /* workers = full */
	POOR = 8,   /* no IPv6, no fpm_config there, no secret, no such app any more */
	ROOT = 16,  /* twinit runs as root */
	PAGES = 32, /* health and fpm_config are set */
	ANSWER = 64,
	FAILS = 128, /* PHP-FPM and the configuration */
};

static uint8_t flags;
static char info[TEXT_MAX], dump[TEXT_MAX], passwd[TEXT_MAX], group[TEXT_MAX], complaint[1024];
static char release[512];
static struct app_config app;
static int prepends[POOLS_MAX], prepend_count;

/* What the helper leaves to its end. */
static char *outputs[OUTPUTS_MAX];
static int output_count;
static struct fpm_dump dumps;

/* --- what the helper sees of the world --- */

int __wrap_program_run(const char *const argv[], int config_fd, char **output);
int __wrap_program_begin(struct program *program, const char *const argv[], int config_fd);
int __wrap_program_end(struct program *program, char **output);
void __wrap_program_abandon(struct program *program);
int __real_fpm_dump_parse(char *text, struct fpm_dump *parsed);
int __wrap_fpm_dump_parse(char *text, struct fpm_dump *parsed);
int __wrap_program_find_fpm(const char *name, char *path, size_t size);
int __wrap_config_load(const char *file, char *const environment[], struct config *config,
                       char error[CONFIG_ERROR_SIZE], void (*warn)(const char *sentence));
int __wrap_secrets_load(const char *names, char *why, size_t why_size);
int __wrap_release_resolve(const char *link, struct release *to, char *why, size_t why_size);
struct room __wrap_limits_look(const char *cgroup, const pid_t masters[], size_t count);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **list);
int __wrap_access(const char *path, int mode);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__real_fopen(const char *path, const char *mode);
int __wrap_openat(int fd, const char *name, int how, ...);
uid_t __wrap_geteuid(void);
void __wrap_helper_answer_with_fd(int answer_fd, const void *answer, size_t size, int fd);

static void keep(char *output)
{
	assert(output_count < OUTPUTS_MAX);
	outputs[output_count++] = output;
}

int __wrap_program_run(const char *const argv[], int config_fd, char **output)
{
	bool tries_opcache = strcmp(argv[2], "opcache.preload=") == 0;

	assert(strcmp(argv[3], "-i") == 0 && config_fd < 0);
	*output = strdup(tries_opcache ? complaint : info);
	if (tries_opcache)
		return complaint[0] ? 78 : 0;
	keep(*output);
	return flags & FAILS ? 78 : 0;
}

int __wrap_program_begin(struct program *program, const char *const argv[], int config_fd)
{
	assert(program->pid == 0 && strcmp(argv[5], "-tt") == 0 && config_fd >= 0);
	program->pid = 1;
	return 0;
}

int __wrap_program_end(struct program *program, char **output)
{
	assert(program->pid == 1);
	program->pid = 0;
	*output = strdup(dump);
	keep(*output);
	return flags & FAILS ? -ENOENT : 0;
}

void __wrap_program_abandon(struct program *program)
{
	assert(program->pid == 1);
	program->pid = 0;
}

int __wrap_fpm_dump_parse(char *text, struct fpm_dump *parsed)
{
	int r = __real_fpm_dump_parse(text, parsed);

	dumps = *parsed;
	return r;
}

int __wrap_program_find_fpm(const char *name, char *path, size_t size)
{
	assert(name[0]);
	text_copy_cut(path, size, "/usr/sbin/php-fpm");
	return 0;
}

int __wrap_config_load(const char *file, char *const environment[], struct config *config,
                       char error[CONFIG_ERROR_SIZE], void (*warn)(const char *sentence))
{
	(void)environment;
	assert(!file && !warn);
	*config = (struct config){ .app_count = !(flags & POOR), .apps = { app } };
	text_copy_cut(error, CONFIG_ERROR_SIZE, "is neither [section] nor key = value");
	return flags & FAILS ? -EINVAL : 0;
}

int __wrap_secrets_load(const char *names, char *why, size_t why_size)
{
	bool no_secret = (flags & (POOR | PATH | FULL | PAGES)) == POOR;

	assert(names[0] == 'A');
	text_copy_cut(why, why_size, no_secret ? "neither A_FILE nor A is set" : "");
	return no_secret ? -ENOENT : 0;
}

int __wrap_release_resolve(const char *link, struct release *to, char *why, size_t why_size)
{
	assert(link == app.release || strcmp(link, app.release) == 0);
	release_none(to);
	text_copy_cut(to->path, sizeof(to->path), release);
	if (release[0])
		return 0;
	text_copy_cut(why, why_size, "there is no release");
	return -ENOENT;
}

struct room __wrap_limits_look(const char *cgroup, const pid_t masters[], size_t count)
{
	assert(cgroup[0] && masters && count == 0);
	return room_unlimited();
}

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **list)
{
	static struct sockaddr_in address = { .sin_family = AF_INET };
	static struct addrinfo one = { .ai_addr = (struct sockaddr *)&address,
		                       .ai_addrlen = sizeof(address) };

	assert(host && port && (hints->ai_flags & AI_PASSIVE));
	address.sin_port = htons(9000);
	*list = &one;
	return strcmp(host, "localhost") == 0 ? 0 : EAI_NONAME;
}

int __wrap_socket(int domain, int type, int protocol)
{
	assert(domain == AF_INET6 && (type & SOCK_STREAM) && protocol == 0);
	errno = EAFNOSUPPORT;
	return flags & POOR ? -1 : dup(STDIN_FILENO);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length)
{
	assert(fd >= 0 && address->sa_family == AF_INET6 && length == sizeof(struct sockaddr_in6));
	return 0;
}

int __wrap_access(const char *path, int mode)
{
	if (mode == R_OK)
		return strstr(path, "none") ? -1 : 0;
	errno = EROFS;
	return complaint[0] ? -1 : 0;
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	char *text = strcmp(path, "/etc/passwd") == 0  ? passwd
	             : strcmp(path, "/etc/group") == 0 ? group
	                                               : NULL;

	if (!text)
		return __real_fopen(path, mode);
	if (text[0] == '\0')
		return NULL;
	return fmemopen(text, strlen(text), "r");
}

/* Files for PHP are made in one directory, whatever a pool is called. */
int __wrap_openat(int fd, const char *name, int how, ...)
{
	assert(fd == FD_NONE && (how & O_CREAT) && !strchr(name, '/') && name[0] != '.');
	assert(prepend_count < POOLS_MAX);
	int made = memfd_create("prepend", MFD_CLOEXEC);
	prepends[prepend_count++] = dup(made);
	return made;
}

uid_t __wrap_geteuid(void)
{
	return flags & ROOT ? 0 : 33;
}

/* --- what comes of it --- */

static char *read_all(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = malloc((size_t)size + 1);

	assert(text && pread(fd, text, (size_t)size, 0) == size);
	text[size] = '\0';
	return text;
}

/* Each line is a section or sets a value. */
static void check_overlay(int fd)
{
	char *text = read_all(fd), *rest = text;

	while (rest && *rest) {
		const char *line = strsep(&rest, "\n");

		assert(*line == '[' || strstr(line, " = "));
	}
	free(text);
}

/* Take what stands between single quotes out of the PHP @text. */
static void empty_quotes(char *text)
{
	bool inside = false;
	char *to = text;

	for (const char *at = text; *at; at++) {
		if (inside && *at == '\\' && at[1])
			at++;
		else if (*at == '\'')
			inside = !inside;
		else if (!inside)
			*to++ = *at;
	}
	*to = '\0';
	assert(!inside);
}

/* Without its strings it is the same PHP as for harmless ones. */
static void check_prepend(int fd)
{
	char *text = read_all(fd), *plain = NULL;
	size_t size;
	FILE *out = open_memstream(&plain, &size);

	assert(pin_write_prepend(out, "/l", "/r", "public", "/own.php") == 0);
	fclose(out);
	empty_quotes(text);
	empty_quotes(plain);
	assert(strcmp(text, plain) == 0 ||
	       (strlen(text) < strlen(plain) && strncmp(text, plain, strlen(text)) == 0));
	free(text);
	free(plain);
}

/* What the helper that asks the stores is given: whatever it says, there is something to say. */
static void check_sources(int fd)
{
	static struct session_source source;
	static struct findings findings;
	_cleanup_free_ struct plan *plan = calloc(1, sizeof(*plan));
	off_t size = lseek(fd, 0, SEEK_END);

	assert(plan && size % (off_t)sizeof(source) == 0);
	memset(&findings, 0, sizeof(findings));
	for (off_t at = 0; at < size; at += (off_t)sizeof(source)) {
		assert(pread(fd, &source, sizeof(source), at) == sizeof(source));
		plan_add(plan, &source, &findings);
		doubts_note(&source, &findings);
	}
	assert(findings.count > 0 || plan->count + plan->cluster_count > 0 || size == 0);
}

static void check_text(const char *text, size_t size)
{
	assert(strnlen(text, size) < size);
}

#define CHECK_TEXT(text) check_text((text), sizeof(text))

static void check_app(const struct app_config *config)
{
	CHECK_TEXT(config->name);
	CHECK_TEXT(config->php_fpm);
	CHECK_TEXT(config->fpm_config);
	CHECK_TEXT(config->release);
	CHECK_TEXT(config->docroot);
	CHECK_TEXT(config->publish);
	CHECK_TEXT(config->health);
	CHECK_TEXT(config->warm);
	assert(config->replicas >= 1 && config->replicas <= REPLICAS_MAX);
	assert(config->workers <= WORKERS_FULL && config->confine <= CONFINE_OFF);
	/* UBSan sees a bool that is neither. */
	assert(config->read_only + config->docroot_set <= 2);
}

static void check_pool(const struct fpm_pool *pool)
{
	CHECK_TEXT(pool->name);
	CHECK_TEXT(pool->listen);
	CHECK_TEXT(pool->status_path);
	CHECK_TEXT(pool->user);
	CHECK_TEXT(pool->group);
	CHECK_TEXT(pool->listen_owner);
	CHECK_TEXT(pool->listen_group);
	assert(pool->chrooted + pool->has_priority <= 2);
	assert(pm_name(pool->pm)[0]);
}

static void check_answer(const struct settings_answer *answer)
{
	CHECK_TEXT(answer->why);
	CHECK_TEXT(answer->release);
	CHECK_TEXT(answer->php_fpm);
	CHECK_TEXT(answer->preload);
	if (!answer->ok)
		return;
	check_app(&answer->app);
	assert(answer->settings.pool_count >= 1 && answer->settings.pool_count <= POOLS_MAX);
	for (unsigned i = 0; i < answer->settings.pool_count; i++)
		check_pool(&answer->settings.pools[i]);
	assert(answer->identity.group_count <= IDENTITY_GROUPS_MAX);
	assert(answer->identity.uid != 0 || (answer->caps & PRIVILEGES_LEAST) == PRIVILEGES_LEAST);
	assert(answer->identity.uid == 0 || answer->caps == 0);
	assert(answer->needs.chroot + answer->needs.ptrace + answer->rlimits.has_priority <= 3);
}

void __wrap_helper_answer_with_fd(int answer_fd, const void *data, size_t size, int fd)
{
	static struct settings_answer answer;

	assert(answer_fd == FD_NONE && size <= sizeof(answer) && fd == FD_NONE);
	memcpy(&answer, data, size);
	assert(answer.ok == (answer.why[0] == '\0'));
	/* What our own helper says is fine, and nothing in it has to be mended. */
	assert(settings_answer_check(&answer, size));
	assert(memcmp(&answer, data, size) == 0);
	check_answer(&answer);
}

static void part(struct input *input, char *to, size_t size)
{
	struct input text = input_until(input, PART_END);

	input_text(&text, to, size);
}

static void run(struct input *input)
{
	struct settings_query query = {
		.app = &app,
		.read_again = flags & AGAIN,
		.secrets = "A",
		.pin = flags & PATH ? PIN_PATH : PIN_MOUNT,
		.run_dir = "/run/twinit",
		.generation = 7,
		.sources = memfd_create("sources", MFD_CLOEXEC),
		.pin_fd = FD_NONE,
	};

	part(input, info, sizeof(info));
	part(input, dump, sizeof(dump));
	part(input, passwd, sizeof(passwd));
	part(input, group, sizeof(group));
	part(input, release, sizeof(release));
	part(input, complaint, sizeof(complaint));
	for (int i = 0; i < OVERLAYS_MAX; i++)
		query.overlays[i] = memfd_create("overlay", MFD_CLOEXEC);
	prepend_count = 0;
	settings_run(&query, FD_NONE);
	while (output_count > 0)
		free(outputs[--output_count]);
	fpm_dump_done(&dumps);
	for (int i = 0; i < OVERLAYS_MAX; i++) {
		check_overlay(query.overlays[i]);
		(void)close(query.overlays[i]);
	}
	for (int i = 0; i < prepend_count; i++) {
		check_prepend(prepends[i]);
		(void)close(prepends[i]);
	}
	check_sources(query.sources);
	(void)close(query.sources);
}

/* A good answer with some bytes changed: WHERE, HOW MANY, the bytes; a few times. */
static void answer(struct input *input)
{
	static struct settings_answer answer;
	size_t size = sizeof(answer);

	answer = (struct settings_answer){
		.ok = true,
		.app = app,
		.settings = { .pool_count = 2, .pools = { { .name = "www" }, { .name = "shop" } } },
		.identity = { .uid = 33, .gid = 33 },
	};
	while (input_size(input) > 2) {
		size_t at = (size_t)(input_byte(input) << 8 | input_byte(input)) * size >> 16;

		for (int count = input_byte(input); count > 0 && at < size; count--)
			((uint8_t *)&answer)[at++] = input_byte(input);
	}
	if (!(flags & FAILS))
		size = settings_answer_size(&answer);
	if (settings_answer_check(&answer, size))
		check_answer(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = input_of(data, size);

	flags = input_byte(&input);
	app = (struct app_config){
		.name = "www",
		.php_fpm = "php-fpm",
		.replicas = 2,
		.workers = flags & FULL ? WORKERS_FULL : WORKERS_SPLIT,
		.release = "/l",
		.docroot = "public",
	};
	if (flags & PAGES) {
		strcpy(app.health, "/health.php");
		strcpy(app.fpm_config, flags & POOR ? "/none" : "/etc/php/fpm.conf");
	}
	if (flags & ANSWER)
		answer(&input);
	else
		run(&input);
	return 0;
}
