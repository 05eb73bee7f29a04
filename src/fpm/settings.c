#include "fpm/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

#define OUR_PREFIX "twinit-"

enum { LISTEN_MODE_DEFAULT = 0660 };

static const char *const pm_names[] = {
	[PM_STATIC] = "static",
	[PM_DYNAMIC] = "dynamic",
	[PM_ONDEMAND] = "ondemand",
};

const char *pm_name(enum pm pm)
{
	return pm_names[pm];
}

/* What a pool's text goes to. */
struct row {
	const char *key;
	size_t offset;
	size_t size;
};

#define ROW(name, member)                                                                          \
	{                                                                                          \
		.key = (name), .offset = offsetof(struct fpm_pool, member),                        \
		.size = sizeof(((struct fpm_pool *)NULL)->member)                                  \
	}

static const struct row texts[] = {
	ROW("listen", listen),
	ROW("user", user),
	ROW("group", group),
	ROW("listen.owner", listen_owner),
	ROW("listen.group", listen_group),
	ROW("pm.status_path", status_path),
};

static const struct row numbers[] = {
	ROW("pm.max_children", max_children),
	ROW("pm.start_servers", start_servers),
	ROW("pm.min_spare_servers", min_spare_servers),
	ROW("pm.max_spare_servers", max_spare_servers),
};

static int refuse(struct text *why, const char *pool, const char *cause)
{
	text_add(why, "pool ");
	text_add_quoted(why, pool);
	text_add(why, ": %s", cause);
	return -EINVAL;
}

static int take_texts(const struct fpm_dump *dump, struct fpm_pool *pool, struct text *why)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *value = fpm_dump_get(dump, pool->name, texts[i].key);

		if (text_copy((char *)pool + texts[i].offset, texts[i].size, value))
			continue;
		refuse(why, pool->name, texts[i].key);
		text_add(why, " is longer than %zu bytes", texts[i].size - 1);
		return -EINVAL;
	}
	return 0;
}

static void take_numbers(const struct fpm_dump *dump, struct fpm_pool *pool)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *value = fpm_dump_get(dump, pool->name, numbers[i].key);
		long number = strtol(value, NULL, 10);

		*(unsigned *)((char *)pool + numbers[i].offset) =
			number < 0 || number > INT_MAX ? 0 : (unsigned)number;
	}
}

static int take_pm(const struct fpm_dump *dump, struct fpm_pool *pool, struct text *why)
{
	const char *value = fpm_dump_get(dump, pool->name, "pm");

	for (size_t i = 0; i < ARRAY_SIZE(pm_names); i++) {
		if (strcmp(pm_names[i], value) == 0) {
			pool->pm = (enum pm)i;
			return 0;
		}
	}
	return refuse(why, pool->name, "pm is none of static, dynamic and ondemand");
}

static void take_listen_details(const struct fpm_dump *dump, struct fpm_pool *pool)
{
	const char *backlog = fpm_dump_get(dump, pool->name, "listen.backlog");
	const char *mode = fpm_dump_get(dump, pool->name, "listen.mode");

	pool->backlog = *backlog ? (int)strtol(backlog, NULL, 10) : -1;
	pool->listen_mode = *mode ? (mode_t)strtoul(mode, NULL, 8) & 0777 : LISTEN_MODE_DEFAULT;
}

/* A pool without a priority of its own has the global one, which its master has (fpm_unix.c). */
static void take_priority(const struct fpm_dump *dump, struct fpm_pool *pool)
{
	const char *value = fpm_dump_get(dump, pool->name, "process.priority");

	if (*value == '\0')
		value = fpm_dump_get(dump, "global", "process.priority");
	pool->has_priority = *value != '\0';
	pool->priority = (int)strtol(value, NULL, 10);
}

/* FPM prints "unlimited" as -1. */
static uint64_t highest_rlimit(const struct fpm_dump *dump, const char *key)
{
	uint64_t highest = 0;

	for (size_t i = 0; i < dump->count; i++) {
		long long value;

		if (strcmp(dump->directives[i].key, key) != 0)
			continue;
		value = strtoll(dump->directives[i].value, NULL, 10);
		if (value < 0)
			return UINT64_MAX;
		if ((uint64_t)value > highest)
			highest = (uint64_t)value;
	}
	return highest;
}

/* FPM_SOCKETS is a list of key=fd with commas; a pool's name is part of our keys. */
static int check(const struct fpm_pool *pool, struct text *why)
{
	if (text_begins(pool->name, OUR_PREFIX))
		return refuse(why, pool->name, "names that begin with twinit- are ours");
	if (strpbrk(pool->name, ",:=/\\\"'[]{}$;"))
		return refuse(why, pool->name, "the name has a character that cannot be used here");
	if (pool->listen[0] == '\0')
		return refuse(why, pool->name, "it has no listen address");
	if (strpbrk(pool->listen, ",="))
		return refuse(why, pool->name,
		              "listen has ',' or '=', which FPM_SOCKETS cannot carry");
	if (pool->max_children == 0)
		return refuse(why, pool->name, "pm.max_children is not set");
	return 0;
}

static int take_pool(const struct fpm_dump *dump, const char *name, struct fpm_pool *pool,
                     struct text *why)
{
	*pool = (struct fpm_pool){ .backlog = -1 };
	if (!text_copy(pool->name, sizeof(pool->name), name)) {
		refuse(why, name, "the name is longer than");
		text_add(why, " %d bytes", POOL_NAME_SIZE - 1);
		return -EINVAL;
	}
	int r = take_texts(dump, pool, why);
	if (r < 0)
		return r;
	r = take_pm(dump, pool, why);
	if (r < 0)
		return r;
	take_numbers(dump, pool);
	take_listen_details(dump, pool);
	take_priority(dump, pool);
	pool->chrooted = fpm_dump_get(dump, name, "chroot")[0] != '\0';
	if (pool->status_path[0] == '\0')
		memcpy(pool->status_path, "/", sizeof("/"));
	return check(pool, why);
}

static bool known(const struct fpm_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->pool_count; i++)
		if (strcmp(settings->pools[i].name, name) == 0)
			return true;
	return false;
}

static int take_pools(const struct fpm_dump *dump, struct fpm_settings *settings, struct text *why)
{
	for (size_t i = 0; i < dump->count; i++) {
		const char *name = dump->directives[i].section;

		if (strcmp(name, "global") == 0 || known(settings, name))
			continue;
		if (settings->pool_count == POOLS_MAX) {
			text_add(why, "there are more than %d pools", POOLS_MAX);
			return -EINVAL;
		}
		int r = take_pool(dump, name, &settings->pools[settings->pool_count], why);
		if (r < 0)
			return r;
		settings->pool_count++;
	}
	return 0;
}

int fpm_settings_from_dump(const struct fpm_dump *dump, struct fpm_settings *settings, char *why,
                           size_t why_size)
{
	struct text sentence = text_init(why, why_size);

	*settings = (struct fpm_settings){ .pool_count = 0 };
	if (!dump->successful) {
		text_add(&sentence, "%s",
		         dump->problem[0] ? dump->problem
		                          : "php-fpm -tt did not say what is wrong");
		return -EINVAL;
	}
	settings->rlimit_files = highest_rlimit(dump, "rlimit_files");
	settings->rlimit_core = highest_rlimit(dump, "rlimit_core");
	int r = take_pools(dump, settings, &sentence);
	if (r == 0 && settings->pool_count == 0) {
		text_add(&sentence, "php-fpm -tt shows no pool");
		return -EINVAL;
	}
	return r;
}

static unsigned part(unsigned whole, unsigned replicas, unsigned index)
{
	unsigned share = whole / replicas + (index < whole % replicas);

	return share > 0 ? share : 1;
}

static unsigned clamp(unsigned value, unsigned lowest, unsigned highest)
{
	if (value < lowest)
		return lowest;
	return value < highest ? value : highest;
}

struct fpm_pool fpm_pool_share(const struct fpm_pool *pool, unsigned replicas, unsigned index)
{
	struct fpm_pool share = *pool;

	share.max_children = part(pool->max_children, replicas, index);
	if (pool->pm != PM_DYNAMIC)
		return share;
	share.max_spare_servers =
		clamp(part(pool->max_spare_servers, replicas, index), 1, share.max_children);
	share.min_spare_servers =
		clamp(part(pool->min_spare_servers, replicas, index), 1, share.max_spare_servers);
	share.start_servers = clamp(part(pool->start_servers, replicas, index),
	                            share.min_spare_servers, share.max_spare_servers);
	return share;
}
