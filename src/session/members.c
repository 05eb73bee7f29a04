#include "session/members.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "session/slice.h"
#include "util/text.h"

enum {
	TTL_LEAST_S = 30,
	TTL_SLACK_S = 15,
	KEY_SIZE = STORE_PREFIX_SIZE + 64,
};

/* --- who we are --- */

/* An address that others can reach: of no loopback, and not of one link only. */
static bool is_public(const struct ifaddrs *a)
{
	if (a->ifa_flags & IFF_LOOPBACK)
		return false;
	if (a->ifa_addr->sa_family == AF_INET)
		return true;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a->ifa_addr;
	return a->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr);
}

static void add_address(const struct ifaddrs *a, struct text *text)
{
	char address[INET6_ADDRSTRLEN];
	const void *bytes =
		a->ifa_addr->sa_family == AF_INET
			? (const void *)&((const struct sockaddr_in *)a->ifa_addr)->sin_addr
			: (const void *)&((const struct sockaddr_in6 *)a->ifa_addr)->sin6_addr;

	if (!inet_ntop(a->ifa_addr->sa_family, bytes, address, sizeof(address)))
		return;
	/* Half an address would be another one. */
	if (text->length + strlen(address) + 1 < text->size)
		text_add(text, "%s%s", text->length ? "," : "", address);
}

static void list_addresses(struct text *text)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *a = list; a; a = a->ifa_next)
		if (a->ifa_addr && is_public(a))
			add_address(a, text);
	freeifaddrs(list);
}

/* What a member key cannot carry. */
static void make_plain(char *name)
{
	for (; *name; name++)
		if (!slice_consists_of((struct slice){ name, 1 }, "-._"))
			*name = '_';
}

void members_self(const struct membership *membership, struct member *self)
{
	struct text addresses;

	*self = (struct member){ .seen_s = (uint64_t)time(NULL), .self = true };
	addresses = TEXT(self->addresses);
	memcpy(self->id, membership->id, sizeof(self->id));
	self->since_s = self->seen_s - membership->age_s;
	if (gethostname(self->hostname, sizeof(self->hostname) - 1) < 0 || !self->hostname[0])
		text_copy_cut(self->hostname, sizeof(self->hostname), "-");
	text_copy_cut(self->service, sizeof(self->service),
	              membership->service[0] ? membership->service : "-");
	make_plain(self->hostname);
	make_plain(self->service);
	list_addresses(&addresses);
	if (!self->addresses[0])
		text_add(&addresses, "-");
}

/* --- keys --- */

static void key_of(const char *prefix, const char *id, char key[KEY_SIZE])
{
	struct text text = text_init(key, KEY_SIZE);

	text_add(&text, "%s__twinit:member%s%s", prefix, *id ? ":" : "s", id);
}

/* Read @key into @to.  0, also when there is none (then empty); or a negative errno. */
static int get(struct carrier *carrier, const char *key, char *to, size_t size)
{
	const char *words[] = { "GET", key };
	redisReply *reply = NULL;
	int r = carrier->ask(carrier, 2, words, &reply);

	to[0] = '\0';
	if (r < 0)
		return r;
	if (reply->type == REDIS_REPLY_STRING)
		text_copy_cut(to, size, reply->str);
	freeReplyObject(reply);
	return 0;
}

static int set(struct carrier *carrier, const char *key, uint32_t ttl_s, const char *value)
{
	char number[16];
	struct text text = TEXT(number);
	const char *words[] = { "SETEX", key, number, value };
	redisReply *reply = NULL;

	text_add(&text, "%u", ttl_s);
	int r = carrier->ask(carrier, 4, words, &reply);
	if (r == 0)
		freeReplyObject(reply);
	return r;
}

static bool is_listed(const struct members *members, const char *id)
{
	for (uint32_t i = 0; i < members->count; i++)
		if (strcmp(members->list[i].id, id) == 0)
			return true;
	return false;
}

/* Who had our host name and is silent since we started was here before us. */
static bool is_predecessor(const struct member *self, const struct member *other)
{
	return strcmp(self->hostname, other->hostname) == 0 && !member_is_double(self, other);
}

static int read_member(struct carrier *carrier, const char *prefix, const char *id,
                       struct members *members)
{
	char key[KEY_SIZE], value[MEMBER_VALUE_SIZE];
	struct member *place = &members->list[members->count];

	key_of(prefix, id, key);
	int r = get(carrier, key, value, sizeof(value));
	*place = (struct member){ 0 };
	text_copy_cut(place->id, sizeof(place->id), id);
	if (r == 0 && member_parse(value, place) && !is_predecessor(&members->list[0], place))
		members->count++;
	return r;
}

static int read_others(struct carrier *carrier, const char *prefix, struct members *members)
{
	char key[KEY_SIZE], index[MEMBER_INDEX_SIZE], id[MEMBER_ID_SIZE];
	const char *at = index;

	key_of(prefix, "", key);
	int r = get(carrier, key, index, sizeof(index));
	while (r == 0 && members->count < MEMBERS_MAX && member_index_next(&at, id))
		if (!is_listed(members, id))
			r = read_member(carrier, prefix, id, members);
	return r;
}

static int write_own(struct carrier *carrier, const char *prefix, uint32_t ttl_s,
                     const struct members *members)
{
	char key[KEY_SIZE], value[MEMBER_VALUE_SIZE], index[MEMBER_INDEX_SIZE];
	struct text ids = TEXT(index);

	member_print(&members->list[0], value);
	key_of(prefix, members->list[0].id, key);
	int r = set(carrier, key, ttl_s, value);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < members->count; i++)
		text_add(&ids, "%s ", members->list[i].id);
	key_of(prefix, "", key);
	return set(carrier, key, ttl_s, index);
}

int members_join(struct carrier *carrier, const char *prefix, const struct member *self,
                 uint32_t every_s, struct members *members)
{
	uint32_t ttl_s = 3 * every_s + TTL_SLACK_S;

	members->count = 1;
	members->list[0] = *self;
	int r = read_others(carrier, prefix, members);
	if (r == 0)
		r = write_own(carrier, prefix, ttl_s < TTL_LEAST_S ? TTL_LEAST_S : ttl_s, members);
	return r;
}

void members_leave(struct carrier *carrier, const char *prefix, const char *id)
{
	char key[KEY_SIZE];
	const char *words[] = { "DEL", key };
	redisReply *reply = NULL;

	key_of(prefix, id, key);
	if (carrier->ask(carrier, 2, words, &reply) == 0)
		freeReplyObject(reply);
}

/* --- what it means --- */

static void note_doubles(const struct members *members, struct findings *findings)
{
	const struct member *self = &members->list[0];
	char subject[FINDING_SUBJECT_SIZE];
	struct text text = TEXT(subject);

	text_add(&text, "host name %s", self->hostname);
	for (uint32_t i = 1; i < members->count; i++)
		if (member_is_double(self, &members->list[i]))
			findings_note(findings, FINDING_HOSTNAME, FINDING_WARNING, subject,
			              "remove hostname: from the service, so that each task has "
			              "its own",
			              "another task has the same one (%s): phpredis names the "
			              "owner of a session lock by host name and pid, so they "
			              "release each other's",
			              members->list[i].addresses);
}

static void merge(const struct members *members, struct findings *findings)
{
	for (uint32_t i = 0; i < members->count; i++) {
		bool known = false;

		for (uint32_t k = 0; k < findings->member_count; k++)
			known |= strcmp(findings->members[k].id, members->list[i].id) == 0;
		if (!known && findings->member_count < MEMBERS_MAX)
			findings->members[findings->member_count++] = members->list[i];
	}
}

void members_note(const struct members *members, int error, const char *subject,
                  struct findings *findings)
{
	char names[FINDING_TEXT_SIZE / 2];
	struct text text = TEXT(names);

	if (error < 0) {
		findings_note(findings, FINDING_MEMBERS, FINDING_UNKNOWN, subject, NULL,
		              "does not take or show the member keys of tasks: %s",
		              error == -EACCES ? "it answers with an error" : strerror(-error));
		return;
	}
	for (uint32_t i = 0; i < members->count; i++)
		text_add(&text, "%s%s", i ? ", " : "", members->list[i].hostname);
	findings_note(findings, FINDING_MEMBERS, FINDING_OK, subject, NULL,
	              "has the sessions of %u task%s: %s%s", members->count,
	              members->count == 1 ? "" : "s", names, text.cut ? "..." : "");
	note_doubles(members, findings);
	merge(members, findings);
}
