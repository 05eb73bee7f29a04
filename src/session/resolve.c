#include "session/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef __GLIBC__
#include <nss.h>
#endif

#include "session/where.h"
#include "util/text.h"

enum { TRIES = 3, AGAIN_MS = 100 };

/*
 * With another name service (mdns, resolve) a static glibc would load the image's libc.  Without
 * RES_OPTIONS a silent name server holds getaddrinfo() for 10 s.
 */
void resolve_prepare(uint32_t timeout_ms)
{
	char options[64];
	struct text text = TEXT(options);

#ifdef __GLIBC__
	(void)__nss_configure_lookup("hosts", "files dns");
#endif
	text_add(&text, "timeout:%u attempts:2", timeout_ms < 4000 ? 1 : timeout_ms / 2000);
	(void)setenv("RES_OPTIONS", options, 0);
}

static void target_name(struct target *target)
{
	if (getnameinfo(&target->at.any, target->length, target->text, sizeof(target->text), NULL,
	                0, NI_NUMERICHOST) != 0)
		text_copy_cut(target->text, sizeof(target->text), "?");
}

/* /etc/hosts may name one address twice. */
static bool is_listed(const struct target *targets, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(targets[i].text, targets[n].text) == 0)
			return true;
	return false;
}

static int resolve_fail(const struct store_address *store, int error, struct findings *findings)
{
	char where[STORE_WHERE_SIZE];
	struct text text = TEXT(where);
	const char *cause = error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);

	where_add(&text, store);
	findings_note(findings, FINDING_RESOLVE, FINDING_FAILED, where,
	              error == EAI_AGAIN ? "does the name server answer?"
	                                 : "is it in the same network?",
	              "cannot resolve '%s': %s", store->host, cause);
	return -EHOSTUNREACH;
}

/* Fills @targets from *@n on.  0, or a code for gai_strerror(). */
static int look_up(const char *host, unsigned port, struct target targets[TARGETS_MAX], int *n)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000 * 1000 };
	struct addrinfo *list = NULL;
	char number[sizeof("65535")];
	struct text text = TEXT(number);

	text_add(&text, "%u", port);
	hints.ai_flags = AI_NUMERICSERV;
	int error = getaddrinfo(host, number, &hints, &list);
	/* A name server that has just been started, or is under load, may know better at once. */
	for (int tries = 1; error == EAI_AGAIN && tries < TRIES; tries++) {
		(void)nanosleep(&pause, NULL);
		error = getaddrinfo(host, number, &hints, &list);
	}
	if (error != 0)
		return error;
	for (const struct addrinfo *a = list; a && *n < TARGETS_MAX; a = a->ai_next) {
		memcpy(&targets[*n].at.storage, a->ai_addr, a->ai_addrlen);
		targets[*n].length = a->ai_addrlen;
		target_name(&targets[*n]);
		*n += !is_listed(targets, *n);
	}
	freeaddrinfo(list);
	return 0;
}

static int resolve_name(const struct store_address *store, struct target targets[TARGETS_MAX],
                        struct findings *findings)
{
	int n = 0;
	int error = look_up(store->host, store->port, targets, &n);

	return error != 0 ? resolve_fail(store, error, findings) : n;
}

int resolve_tasks(const char *service, unsigned port, struct target targets[TARGETS_MAX])
{
	char host[STORE_HOST_SIZE + sizeof("tasks.")];
	struct text text = TEXT(host);
	int n = 0;

	text_add(&text, "tasks.%s", service);
	int error = look_up(host, port, targets, &n);
	if (error == EAI_AGAIN)
		return -EAGAIN;
	return error == 0 ? n : 0;
}

static int resolve_socket(const struct store_address *store, struct target *target,
                          struct findings *findings)
{
	target->at.local.sun_family = AF_UNIX;
	target->length = sizeof(target->at.local);
	target->text[0] = '\0';
	if (text_copy(target->at.local.sun_path, sizeof(target->at.local.sun_path), store->host))
		return 1;
	findings_note(findings, FINDING_RESOLVE, FINDING_FAILED, store->host, NULL,
	              "the path of a unix socket has at most %zu bytes",
	              sizeof(target->at.local.sun_path) - 1);
	return -ENAMETOOLONG;
}

int resolve(const struct store_address *store, struct target targets[TARGETS_MAX],
            struct findings *findings)
{
	if (store->port == 0)
		return resolve_socket(store, targets, findings);
	return resolve_name(store, targets, findings);
}
