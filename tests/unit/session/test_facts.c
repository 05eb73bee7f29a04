/* What a server tells about itself, and what that means for sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/cluster.h"
#include "session/facts.h"

/* --- answers as hiredis reads them --- */

static redisReply *reply_of(const char *bytes)
{
	redisReader *reader = redisReaderCreate();
	void *reply = NULL;

	assert_int_equal(redisReaderFeed(reader, bytes, strlen(bytes)), REDIS_OK);
	assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
	assert_non_null(reply);
	redisReaderFree(reader);
	return reply;
}

static void info(struct facts *facts, const char *text)
{
	redisReply reply = { .type = REDIS_REPLY_STRING, .str = (char *)text };

	reply.len = strlen(text);
	facts_read_info(facts, &reply);
}

static void test_hello_is_read(void **state)
{
	(void)state;
	redisReply *reply =
		reply_of("*14\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n8.0.1\r\n"
	                 "$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$7\r\ncluster\r\n"
	                 "$4\r\nrole\r\n$7\r\nreplica\r\n$7\r\nmodules\r\n*0\r\n");
	struct facts facts;

	facts_init(&facts);
	facts_read_hello(&facts, reply);
	freeReplyObject(reply);
	assert_string_equal(facts.server, "valkey");
	assert_string_equal(facts.version, "8.0.1");
	assert_string_equal(facts.role, "replica");
	assert_true(facts_is_cluster(&facts));
}

static void test_nothing_is_read_of_another_answer(void **state)
{
	(void)state;
	static const char *const answers[] = {
		"+OK\r\n", "*0\r\n", "*1\r\n$4\r\nrole\r\n",          "*2\r\n$4\r\nrole\r\n:1\r\n",
		"$-1\r\n", ":5\r\n", "*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		redisReply *reply = reply_of(answers[i]);
		struct facts facts, none;

		facts_init(&facts);
		facts_init(&none);
		facts_read_hello(&facts, reply);
		facts_read_info(&facts, reply);
		facts_read_save(&facts, reply);
		freeReplyObject(reply);
		assert_memory_equal(&facts, &none, sizeof(none));
	}
}

static void test_texts_that_are_not_plain_are_not_taken(void **state)
{
	(void)state;
	struct facts facts;

	facts_init(&facts);
	info(&facts, "role:ma\x1bster\r\nredis_version:"
	             "1234567890123456789012345678901234567890123456789\r\n"
	             "maxmemory:99999999999999999999\r\nused_memory:-5\r\n:\r\nrun_id\r\n");
	assert_string_equal(facts.role, "");
	assert_string_equal(facts.version, "");
	assert_int_equal(facts.maxmemory, -1);
	assert_int_equal(facts.used_memory, -1);
}

/* --- what it means --- */

#define MIB_100 "used_memory:104857600\r\n"

static const struct row {
	const char *says;
	const char *info;
	int snapshots; /* of CONFIG GET save; negative: it may not be asked */
	uint32_t workers;
	enum finding_id id;
	enum finding_result result;
	const char *seen; /* a part of it */
} rows[] = {
	/* clang-format off */
	{ "a primary", "role:master\r\nredis_version:7.0.15\r\n", -1, 0, FINDING_ROLE, FINDING_OK, "redis 7.0.15" },
	{ "a replica", "role:slave\r\n", -1, 0, FINDING_ROLE, FINDING_FAILED, "is a replica (slave)" },
	{ "a Sentinel", "redis_mode:sentinel\r\nrole:master\r\n", -1, 0, FINDING_ROLE, FINDING_FAILED, "Sentinel" },
	{ "no role", "", -1, 0, FINDING_ROLE, FINDING_UNKNOWN, "does not say" },

	{ "no eviction", "maxmemory_policy:noeviction\r\nmaxmemory:1\r\n", -1, 0, FINDING_EVICTION, FINDING_OK, "noeviction" },
	{ "eviction of all keys", "maxmemory_policy:allkeys-lru\r\nmaxmemory:1\r\n", -1, 0, FINDING_EVICTION, FINDING_WARNING,
	  "drops sessions when its memory is full (allkeys-lru)" },
	{ "... that has happened", "maxmemory_policy:allkeys-lfu\r\nmaxmemory:1\r\nevicted_keys:3\r\n", -1, 0, FINDING_EVICTION,
	  FINDING_WARNING, "has dropped keys already" },
	{ "... of those with an expiry, which sessions have", "maxmemory_policy:volatile-ttl\r\nmaxmemory:1\r\n", -1, 0,
	  FINDING_EVICTION, FINDING_WARNING, "volatile-ttl" },
	{ "... that cannot come", "maxmemory_policy:allkeys-lru\r\nmaxmemory:0\r\n", -1, 0, FINDING_EVICTION, FINDING_OK,
	  "without maxmemory" },
	{ "a policy that is not told", "maxmemory:1\r\n", -1, 0, FINDING_EVICTION, FINDING_UNKNOWN, "does not say" },

	{ "an append-only file", "aof_enabled:1\r\n", 0, 0, FINDING_PERSISTENCE, FINDING_OK, "append-only" },
	{ "snapshots", "aof_enabled:0\r\n", 1, 0, FINDING_PERSISTENCE, FINDING_OK, "snapshots" },
	{ "nothing on disk", "aof_enabled:0\r\n", 0, 0, FINDING_PERSISTENCE, FINDING_WARNING, "lost when it restarts" },
	{ "snapshots that are not told", "aof_enabled:0\r\n", -1, 0, FINDING_PERSISTENCE, FINDING_UNKNOWN, "snapshots" },
	{ "nothing told", "", -1, 0, FINDING_PERSISTENCE, FINDING_UNKNOWN, "does not say" },
	{ "a snapshot that failed", "aof_enabled:1\r\nrdb_last_bgsave_status:err\r\naof_last_write_status:ok\r\n", 1, 0,
	  FINDING_PERSISTENCE, FINDING_WARNING, "could not save" },

	{ "no limit", MIB_100 "maxmemory:0\r\n", -1, 0, FINDING_MEMORY, FINDING_OK, "uses 100 MiB, without a limit" },
	{ "room", MIB_100 "maxmemory:209715200\r\n", -1, 0, FINDING_MEMORY, FINDING_OK, "uses 100 of 200 MiB" },
	{ "nearly full", MIB_100 "maxmemory:110100480\r\n", -1, 0, FINDING_MEMORY, FINDING_WARNING, "soon it takes no writes" },
	{ "nearly full, and evicting", MIB_100 "maxmemory:110100480\r\nmaxmemory_policy:allkeys-lru\r\n", -1, 0, FINDING_MEMORY,
	  FINDING_WARNING, "soon it drops sessions" },
	{ "full", MIB_100 "maxmemory:1048576\r\n", -1, 0, FINDING_MEMORY, FINDING_WARNING, "uses more than 90 % of its 1 MiB" },
	{ "a size that is not told", "maxmemory:1\r\n", -1, 0, FINDING_MEMORY, FINDING_UNKNOWN, "does not say" },

	{ "connections enough", "maxclients:100\r\n", -1, 100, FINDING_CLIENTS, FINDING_OK, "100 workers" },
	{ "too few connections", "maxclients:100\r\n", -1, 101, FINDING_CLIENTS, FINDING_WARNING, "takes 100 connections" },
	{ "connections that are not told", "", -1, 1, FINDING_CLIENTS, FINDING_UNKNOWN, "does not say" },
	/* clang-format on */
};

static void test_each_fact_means_something(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		static struct findings findings;
		const struct finding *found = NULL;
		struct facts facts;

		memset(&findings, 0, sizeof(findings));
		facts_init(&facts);
		info(&facts, row->info);
		facts.snapshots = row->snapshots;
		facts_note(&facts, "redis:6379", row->workers, &findings);
		for (uint32_t f = 0; f < findings.count; f++)
			if (findings.list[f].id == row->id)
				found = &findings.list[f];
		if (!found)
			fail_msg("%s: nothing is said", row->says);
		if (found->result != row->result || !strstr(found->seen, row->seen))
			fail_msg("%s: %s, '%s'", row->says, finding_result_name(found->result),
			         found->seen);
		if ((row->result == FINDING_WARNING || row->result == FINDING_FAILED) &&
		    !found->fix[0])
			fail_msg("%s: does not say what to do", row->says);
	}
}

static void test_save_points_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *answer;
		int snapshots;
	} answers[] = {
		{ "*2\r\n$4\r\nsave\r\n$0\r\n\r\n", 0 },
		{ "*2\r\n$4\r\nsave\r\n$6\r\n3600 1\r\n", 1 },
		{ "*2\r\n$4\r\nsavx\r\n$6\r\n3600 1\r\n", -1 },
		{ "*0\r\n", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		redisReply *reply = reply_of(answers[i].answer);
		struct facts facts;

		facts_init(&facts);
		facts_read_save(&facts, reply);
		freeReplyObject(reply);
		assert_int_equal(facts.snapshots, answers[i].snapshots);
	}
}

static void test_the_state_of_a_cluster_is_read(void **state)
{
	(void)state;
	static const char text[] = "cluster_state:ok\r\ncluster_slots_assigned:16384\r\n"
				   "cluster_slots_ok:16383\r\ncluster_size:3\r\n";
	struct cluster_state cluster;

	cluster_read(text, strlen(text), &cluster);
	assert_true(cluster.known && cluster.ok);
	assert_int_equal(cluster.slots, 16383);
	assert_int_equal(cluster.primaries, 3);
	cluster_read("cluster_state:fail\r\ncluster_size:x\r\ncluster_slots_ok:123456789012\r\n",
	             66, &cluster);
	assert_true(cluster.known && !cluster.ok);
	assert_int_equal(cluster.slots, -1);
	cluster_read("", 0, &cluster);
	assert_false(cluster.known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_is_read),
		cmocka_unit_test(test_nothing_is_read_of_another_answer),
		cmocka_unit_test(test_texts_that_are_not_plain_are_not_taken),
		cmocka_unit_test(test_each_fact_means_something),
		cmocka_unit_test(test_save_points_are_read),
		cmocka_unit_test(test_the_state_of_a_cluster_is_read),
	};
	return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
