#include "session/meaning.h"

#include <string.h>
#include <strings.h>

#include "util/macros.h"

/* clang-format off */
static const struct meaning meanings[] = {
	{ FINDING_AUTH, "WRONGPASS",          "refuses the password", "check auth= in session.save_path" },
	{ FINDING_AUTH, "ERR invalid password", "refuses the password", "check auth= in session.save_path" },
	{ FINDING_AUTH, "NOAUTH",             "wants a password", "add auth=PASSWORD to session.save_path" },
	{ FINDING_AUTH, "ERR operation not permitted", "wants a password", "add auth=PASSWORD to session.save_path" },
	{ FINDING_AUTH, "ERR AUTH",           "has no password, so that PHP's AUTH fails",
	                        "remove auth= from session.save_path, or set requirepass in Redis" },
	{ FINDING_AUTH, "ERR Client sent AUTH", "has no password, so that PHP's AUTH fails",
	                        "remove auth= from session.save_path, or set requirepass in Redis" },
	{ FINDING_AUTH, "ERR wrong number of arguments for 'auth'", "knows no users (Redis before 6)",
	                        "write auth=PASSWORD without the user" },
	{ FINDING_ACL, "NOPERM",             "forbids its user what sessions need",
	                        "allow +get +setex +expire +del +exists +set +eval +evalsha +select "
	                        "+echo +getex on the keys below the prefix" },
	{ FINDING_ROLE, "READONLY",           "is a read-only replica", "name the primary in session.save_path" },
	{ FINDING_ROLE, "ERR unknown command 'SETEX'", "knows no SETEX: a Sentinel, or a proxy",
	                        "name the primary in session.save_path" },
	{ FINDING_ROLE, "ERR unknown command `SETEX`", "knows no SETEX: a Sentinel, or a proxy",
	                        "name the primary in session.save_path" },
	{ FINDING_LOADING, "LOADING",            "is still loading its data", "wait" },
	{ FINDING_MEMORY, "OOM",                "is out of memory and takes no writes",
	                        "raise maxmemory in Redis" },
	{ FINDING_PERSISTENCE, "MISCONF",            "takes no writes because it cannot save to disk",
	                        "see its log: disk full, or a directory that it may not write" },
	{ FINDING_WRITE, "NOREPLICAS",         "takes no writes without its replicas",
	                        "see min-replicas-to-write and the replicas" },
	{ FINDING_ROLE, "MASTERDOWN",         "is a replica that lost its primary",
	                        "name the primary in session.save_path" },
	{ FINDING_CLUSTER, "CLUSTERDOWN",        "is a cluster that is down", "see CLUSTER INFO" },
	{ FINDING_CLUSTER, "MOVED",              "is a cluster", "set session.save_handler = rediscluster" },
	{ FINDING_CLUSTER, "ASK ",               "is a cluster", "set session.save_handler = rediscluster" },
	{ FINDING_CLUSTER, "ERR SELECT is not allowed in cluster mode", "is a cluster",
	                        "set session.save_handler = rediscluster" },
	{ FINDING_DATABASE, "ERR DB index",       "has no such database; phpredis 5.3 then silently uses database 0",
	                        "check database= in session.save_path and `databases` in Redis" },
	{ FINDING_DATABASE, "ERR invalid DB index", "has no such database; phpredis 5.3 then silently uses database 0",
	                        "check database= in session.save_path and `databases` in Redis" },
	{ FINDING_CLIENTS, "ERR max number of clients", "has no connection left", "raise maxclients in Redis" },
	{ FINDING_AUTH, "DENIED",             "is in protected mode and takes no connection from elsewhere",
	                        "give it a password (requirepass) or bind it to a private network" },
	{ FINDING_ANSWER, "BUSY",               "is busy with a script", "see SCRIPT KILL" },
};
/* clang-format on */

const struct meaning *meaning_of(const char *words)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (strncasecmp(words, meanings[i].begins, strlen(meanings[i].begins)) == 0)
			return &meanings[i];
	return NULL;
}
