#include "session/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <nss.h>
#endif

#include "session/verdict.h"
#include "session/where.h"
#include "util/text.h"

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

static int resolve_fail(const struct store_address *store, int error, struct store_report *report)
{
	char where[STORE_WHERE_SIZE];
	struct text text = TEXT(where);
	const char *cause = error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
	const char *fix = error == EAI_AGAIN ? "; does the name server answer?"
	                                     : "; is it in the same network?";

	where_add(&text, store);
	verdict_fail(report, store, "%s: cannot resolve '%s': %s%s", where, store->host, cause,
	             fix);
	return -EHOSTUNREACH;
}

static int resolve_name(const struct store_address *store, struct target targets[TARGETS_MAX],
                        struct store_report *report)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	char port[sizeof("65535")];
	struct text text = TEXT(port);
	int n = 0;

	text_add(&text, "%u", store->port);
	hints.ai_flags = AI_NUMERICSERV;
	int error = getaddrinfo(store->host, port, &hints, &list);
	if (error != 0)
		return resolve_fail(store, error, report);
	for (const struct addrinfo *a = list; a && n < TARGETS_MAX; a = a->ai_next) {
		memcpy(&targets[n].at.storage, a->ai_addr, a->ai_addrlen);
		targets[n].length = a->ai_addrlen;
		target_name(&targets[n]);
		n += !is_listed(targets, n);
	}
	freeaddrinfo(list);
	return n;
}

static int resolve_socket(const struct store_address *store, struct target *target,
                          struct store_report *report)
{
	target->at.local.sun_family = AF_UNIX;
	target->length = sizeof(target->at.local);
	target->text[0] = '\0';
	if (text_copy(target->at.local.sun_path, sizeof(target->at.local.sun_path), store->host))
		return 1;
	verdict_fail(report, store, "%s: the path of a unix socket has at most %zu bytes",
	             store->host, sizeof(target->at.local.sun_path) - 1);
	return -ENAMETOOLONG;
}

int resolve(const struct store_address *store, struct target targets[TARGETS_MAX],
            struct store_report *report)
{
	if (store->port == 0)
		return resolve_socket(store, targets, report);
	return resolve_name(store, targets, report);
}
