#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "confine/caps.h"
#include "question/reading.h"

/* FPM's slow log stops a worker and reads its stack. */
static bool has_slowlog(const struct reading *r)
{
	for (size_t i = 0; i < r->dump.count; i++) {
		const struct fpm_directive *d = &r->dump.directives[i];

		if (strcmp(d->key, "request_slowlog_timeout") == 0 &&
		    strtoul(d->value, NULL, 10) > 0)
			return true;
	}
	return false;
}

static bool same_priority(const struct fpm_pool *a, const struct fpm_pool *b)
{
	return a->has_priority == b->has_priority && a->priority == b->priority;
}

/* Of all pools' users, the first; @several when there are others or they do not get on as one. */
static int read_users(struct reading *r, bool *several)
{
	const struct fpm_settings *settings = &r->answer->settings;
	const struct identity *first = &r->answer->identity;
	struct identity other;
	int result = accounts_read_user(r, &settings->pools[0], &r->answer->identity);

	*several = settings->pools[0].chrooted;
	for (unsigned i = 1; result >= 0 && i < settings->pool_count; i++) {
		result = accounts_read_user(r, &settings->pools[i], &other);
		*several = *several || settings->pools[i].chrooted ||
		           (result >= 0 && (other.uid != first->uid || other.gid != first->gid)) ||
		           !same_priority(&settings->pools[0], &settings->pools[i]);
	}
	return result;
}

/* A user namespace has one user, who cannot become another. */
static int stay_root(struct reading *r)
{
	struct settings_answer *answer = r->answer;

	if (r->query->pin == PIN_USERNS) {
		text_add(&r->why,
		         "pools with several users or chroot need a mount namespace, which "
		         "takes the capability SYS_ADMIN (cap_add), or isolation = path");
		return -EINVAL;
	}
	answer->identity = (struct identity){ .uid = 0, .gid = 0 };
	answer->caps = PRIVILEGES_LEAST;
	if (answer->needs.chroot)
		answer->caps |= CAP_BIT(CAP_SYS_CHROOT);
	/* To trace another user's process. */
	if (answer->needs.ptrace)
		answer->caps |= CAP_BIT(CAP_SYS_PTRACE);
	for (unsigned i = 0; i < answer->settings.pool_count; i++)
		if (answer->settings.pools[i].has_priority)
			answer->caps |= CAP_BIT(CAP_SYS_NICE);
	return 0;
}

/* As somebody else FPM ignores user, group and chroot; we do not drop a chroot in silence. */
static int stay_ourselves(struct reading *r)
{
	r->answer->identity = identity_current();
	for (unsigned i = 0; i < r->answer->settings.pool_count; i++)
		if (r->answer->settings.pools[i].chrooted) {
			text_add(&r->why, "pool %s: chroot needs a container that starts as root",
			         r->answer->settings.pools[i].name);
			return -EINVAL;
		}
	return 0;
}

static void read_rlimits(struct reading *r)
{
	const struct fpm_settings *settings = &r->answer->settings;
	struct rlimits *rlimits = &r->answer->rlimits;

	*rlimits =
		(struct rlimits){ .files = settings->rlimit_files, .core = settings->rlimit_core };
	/* A root master does it itself, for each pool. */
	if (r->answer->identity.uid == 0)
		return;
	rlimits->has_priority = settings->pools[0].has_priority;
	rlimits->priority = settings->pools[0].priority;
}

static void read_needs(struct reading *r)
{
	struct filter_needs *needs = &r->answer->needs;

	*needs = (struct filter_needs){ .ptrace = has_slowlog(r) };
	for (unsigned i = 0; i < r->answer->settings.pool_count; i++)
		needs->chroot = needs->chroot || r->answer->settings.pools[i].chrooted;
}

/* FPM as root demands a user for each pool, so there is one; as somebody else it ignores it. */
int privileges_decide(struct reading *r)
{
	bool several = false;
	int result;

	read_needs(r);
	if (geteuid() != 0)
		result = stay_ourselves(r);
	else
		result = read_users(r, &several);
	if (result >= 0 && several)
		result = stay_root(r);
	read_rlimits(r);
	return result;
}
