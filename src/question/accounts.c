#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "question/reading.h"

static bool is_number(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static int unknown(struct reading *r, const char *pool, const char *what, const char *name)
{
	text_add(&r->why, "pool %s: unknown %s ", pool, what);
	text_add_quoted(&r->why, name);
	return -ENOENT;
}

static int find_user(const char *name, struct identity *identity)
{
	const struct passwd *entry =
		is_number(name) ? getpwuid((uid_t)strtoul(name, NULL, 10)) : getpwnam(name);
	int count = IDENTITY_GROUPS_MAX;

	if (!entry && !is_number(name))
		return -ENOENT;
	*identity = (struct identity){ 0 };
	if (!entry) {
		identity->uid = (uid_t)strtoul(name, NULL, 10);
		identity->gid = identity->uid;
		return 0;
	}
	identity->uid = entry->pw_uid;
	identity->gid = entry->pw_gid;
	if (getgrouplist(entry->pw_name, entry->pw_gid, identity->groups, &count) < 0)
		count = IDENTITY_GROUPS_MAX;
	identity->group_count = (size_t)count;
	return 0;
}

static int find_group(const char *name, gid_t *gid)
{
	const struct group *entry;

	if (is_number(name)) {
		*gid = (gid_t)strtoul(name, NULL, 10);
		return 0;
	}
	entry = getgrnam(name);
	if (!entry)
		return -ENOENT;
	*gid = entry->gr_gid;
	return 0;
}

static int pool_identity(struct reading *r, const struct fpm_pool *pool, struct identity *identity)
{
	if (find_user(pool->user, identity) < 0)
		return unknown(r, pool->name, "user", pool->user);
	if (pool->group[0] != '\0' && find_group(pool->group, &identity->gid) < 0)
		return unknown(r, pool->name, "group", pool->group);
	return 0;
}

/* FPM as root demands a user for each pool, so there is one; as somebody else it ignores it. */
int accounts_read_identity(struct reading *r)
{
	const struct fpm_settings *settings = &r->answer->settings;
	struct identity other;
	int result;

	if (geteuid() != 0) {
		r->answer->identity = identity_current();
		return 0;
	}
	result = pool_identity(r, &settings->pools[0], &r->answer->identity);
	for (unsigned i = 1; result >= 0 && i < settings->pool_count; i++) {
		result = pool_identity(r, &settings->pools[i], &other);
		if (result >= 0 && (other.uid != r->answer->identity.uid ||
		                    other.gid != r->answer->identity.gid)) {
			text_add(&r->why,
			         "pools %s and %s run as different users; give each an [app] of "
			         "its own",
			         settings->pools[0].name, settings->pools[i].name);
			return -EINVAL;
		}
	}
	if (result >= 0 && r->answer->identity.uid == 0) {
		text_add(&r->why, "pool %s: user is root, as which twinit runs no PHP",
		         settings->pools[0].name);
		return -EINVAL;
	}
	return result;
}

static int read_owner(struct reading *r, const struct fpm_pool *pool, struct socket_owner *owner)
{
	struct identity identity;

	*owner = (struct socket_owner){ .uid = geteuid(), .gid = getegid() };
	if (geteuid() != 0)
		return 0; /* only root may give a socket away, and FPM would not either */
	if (pool->listen_owner[0] != '\0') {
		if (find_user(pool->listen_owner, &identity) < 0)
			return unknown(r, pool->name, "listen.owner", pool->listen_owner);
		owner->uid = identity.uid;
	}
	if (pool->listen_group[0] != '\0' && find_group(pool->listen_group, &owner->gid) < 0)
		return unknown(r, pool->name, "listen.group", pool->listen_group);
	return 0;
}

int accounts_read_owners(struct reading *r)
{
	const struct fpm_settings *settings = &r->answer->settings;
	int result = 0;

	for (unsigned i = 0; result >= 0 && i < settings->pool_count; i++)
		result = read_owner(r, &settings->pools[i], &r->answer->owners[i]);
	return result;
}
