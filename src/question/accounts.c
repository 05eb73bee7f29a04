#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "question/reading.h"
#include "util/cleanup.h"

/* An id that can be one: the highest number means "leave it as it is" to setresuid(2). */
static bool is_number(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0' &&
	       strtoull(text, NULL, 10) < UINT32_MAX;
}

static int unknown(struct reading *r, const char *pool, const char *what, const char *name)
{
	text_add(&r->why, "pool %s: unknown %s ", pool, what);
	text_add_quoted(&r->why, name);
	return -ENOENT;
}

/*
 * The files themselves, because getpwnam() in a static program would load whatever modules the
 * image's nsswitch.conf names, and a libc with them.
 */
static bool find_passwd(const char *name, struct identity *identity, char login[USER_NAME_SIZE])
{
	_cleanup_file_ FILE *file = fopen("/etc/passwd", "re");
	const bool by_number = is_number(name);
	const uid_t uid = (uid_t)strtoul(name, NULL, 10);
	const struct passwd *entry;

	while (file && (entry = fgetpwent(file))) {
		if (by_number ? entry->pw_uid != uid : strcmp(entry->pw_name, name) != 0)
			continue;
		identity->uid = entry->pw_uid;
		identity->gid = entry->pw_gid;
		text_copy_cut(login, USER_NAME_SIZE, entry->pw_name);
		return true;
	}
	return false;
}

static bool is_member(const struct group *group, const char *login)
{
	for (size_t i = 0; group->gr_mem[i]; i++)
		if (strcmp(group->gr_mem[i], login) == 0)
			return true;
	return false;
}

static void find_memberships(const char *login, struct identity *identity)
{
	_cleanup_file_ FILE *file = fopen("/etc/group", "re");
	const struct group *entry;

	identity->groups[identity->group_count++] = identity->gid;
	while (file && identity->group_count < IDENTITY_GROUPS_MAX && (entry = fgetgrent(file)))
		if (entry->gr_gid != identity->gid && is_member(entry, login))
			identity->groups[identity->group_count++] = entry->gr_gid;
}

/* A number needs no entry: containers are often run with one that has none. */
static int find_user(const char *name, struct identity *identity)
{
	char login[USER_NAME_SIZE];

	*identity = (struct identity){ 0 };
	if (find_passwd(name, identity, login)) {
		find_memberships(login, identity);
		return 0;
	}
	if (!is_number(name))
		return -ENOENT;
	identity->uid = (uid_t)strtoul(name, NULL, 10);
	identity->gid = identity->uid;
	return 0;
}

static int find_group(const char *name, gid_t *gid)
{
	_cleanup_file_ FILE *file = fopen("/etc/group", "re");
	const struct group *entry;

	if (is_number(name)) {
		*gid = (gid_t)strtoul(name, NULL, 10);
		return 0;
	}
	while (file && (entry = fgetgrent(file)))
		if (strcmp(entry->gr_name, name) == 0) {
			*gid = entry->gr_gid;
			return 0;
		}
	return -ENOENT;
}

int accounts_read_user(struct reading *r, const struct fpm_pool *pool, struct identity *identity)
{
	if (find_user(pool->user, identity) < 0)
		return unknown(r, pool->name, "user", pool->user);
	if (pool->group[0] != '\0' && find_group(pool->group, &identity->gid) < 0)
		return unknown(r, pool->name, "group", pool->group);
	if (identity->uid == 0) {
		text_add(&r->why, "pool %s: user is root, as which twinit runs no PHP", pool->name);
		return -EINVAL;
	}
	return 0;
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
