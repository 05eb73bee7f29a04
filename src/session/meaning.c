#include "session/meaning.h"

#include <string.h>
#include <strings.h>

#include "util/macros.h"

/* clang-format off */
static const struct meaning meanings[] = {
	{ "WRONGPASS",          "refuses the password", "check auth= in session.save_path" },
	{ "ERR invalid password", "refuses the password", "check auth= in session.save_path" },
	{ "NOAUTH",             "wants a password", "add auth=PASSWORD to session.save_path" },
	{ "ERR operation not permitted", "wants a password", "add auth=PASSWORD to session.save_path" },
	{ "ERR AUTH",           "has no password, so that PHP's AUTH fails",
	                        "remove auth= from session.save_path, or set requirepass in Redis" },
	{ "ERR Client sent AUTH", "has no password, so that PHP's AUTH fails",
	                        "remove auth= from session.save_path, or set requirepass in Redis" },
	{ "ERR wrong number of arguments for 'auth'", "knows no users (Redis before 6)",
	                        "write auth=PASSWORD without the user" },
	{ "NOPERM",             "forbids its user what sessions need",
	                        "allow +get +setex +expire +del +exists +set +eval +evalsha +select "
	                        "+echo +getex on the keys below the prefix" },
	{ "READONLY",           "is a read-only replica", "name the primary in session.save_path" },
	{ "LOADING",            "is still loading its data", "wait" },
	{ "OOM",                "is out of memory and takes no writes",
	                        "raise maxmemory, or let it evict (maxmemory-policy)" },
	{ "MISCONF",            "takes no writes because it cannot save to disk",
	                        "see its log: disk full, or a directory that it may not write" },
	{ "NOREPLICAS",         "takes no writes without its replicas",
	                        "see min-replicas-to-write and the replicas" },
	{ "MASTERDOWN",         "is a replica that lost its primary",
	                        "name the primary in session.save_path" },
	{ "CLUSTERDOWN",        "is a cluster that is down", "see CLUSTER INFO" },
	{ "MOVED",              "is a cluster", "set session.save_handler = rediscluster" },
	{ "ASK ",               "is a cluster", "set session.save_handler = rediscluster" },
	{ "ERR SELECT is not allowed in cluster mode", "is a cluster",
	                        "set session.save_handler = rediscluster" },
	{ "ERR DB index",       "has no such database; phpredis 5.3 then silently uses database 0",
	                        "check database= in session.save_path and `databases` in Redis" },
	{ "ERR invalid DB index", "has no such database; phpredis 5.3 then silently uses database 0",
	                        "check database= in session.save_path and `databases` in Redis" },
	{ "ERR max number of clients", "has no connection left", "raise maxclients in Redis" },
	{ "DENIED",             "is in protected mode and takes no connection from elsewhere",
	                        "give it a password (requirepass) or bind it to a private network" },
	{ "BUSY",               "is busy with a script", "see SCRIPT KILL" },
};
/* clang-format on */

const struct meaning *meaning_of(const char *words)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (strncasecmp(words, meanings[i].begins, strlen(meanings[i].begins)) == 0)
			return &meanings[i];
	return NULL;
}
