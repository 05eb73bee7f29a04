#include "session/member.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "session/slice.h"
#include "util/text.h"

enum {
	VERSION = 1,
	FIELDS = 6,
};

void member_print(const struct member *member, char to[MEMBER_VALUE_SIZE])
{
	struct text text = text_init(to, MEMBER_VALUE_SIZE);

	text_add(&text, "%d %s %s %" PRIu64 " %" PRIu64 " %s", VERSION, member->hostname,
	         member->service[0] ? member->service : "-", member->since_s, member->seen_s,
	         member->addresses[0] ? member->addresses : "-");
}

/* Cut @value at its blanks.  True when there are as many words as a member has. */
static bool split(const char *value, struct slice words[FIELDS])
{
	const char *end = value + strlen(value);

	for (size_t i = 0; i < FIELDS; i++) {
		const char *stop = slice_find(value, end, " ");

		if (stop == value || (stop == end) != (i == FIELDS - 1))
			return false;
		words[i] = slice_between(value, stop);
		value = stop + 1;
	}
	return true;
}

static bool take_text(struct slice word, const char *others, char *to, size_t size)
{
	if (word.length >= size || !slice_consists_of(word, others))
		return false;
	memcpy(to, word.start, word.length);
	to[word.length] = '\0';
	return true;
}

static bool take_time(struct slice word, uint64_t *to)
{
	if (!slice_is_number(word) || word.length > 15)
		return false;
	*to = strtoull(word.start, NULL, 10);
	return true;
}

bool member_parse(const char *value, struct member *member)
{
	struct slice words[FIELDS];

	return split(value, words) && slice_is(words[0], "1") &&
	       take_text(words[1], "-._", member->hostname, sizeof(member->hostname)) &&
	       take_text(words[2], "-._", member->service, sizeof(member->service)) &&
	       take_time(words[3], &member->since_s) && take_time(words[4], &member->seen_s) &&
	       take_text(words[5], "-.:,%", member->addresses, sizeof(member->addresses));
}

bool member_has_address(const struct member *member, const char *address)
{
	const char *at = member->addresses, *end = at + strlen(at);

	while (at < end) {
		const char *stop = slice_find(at, end, ",");

		if (slice_is(slice_between(at, stop), address))
			return true;
		at = stop + 1;
	}
	return false;
}

bool member_is_double(const struct member *self, const struct member *other)
{
	return strcmp(self->id, other->id) != 0 && strcmp(self->hostname, other->hostname) == 0 &&
	       other->seen_s > self->since_s;
}

bool member_is_id(const char *text)
{
	return strlen(text) == MEMBER_ID_SIZE - 1 &&
	       strspn(text, "0123456789abcdef") == MEMBER_ID_SIZE - 1;
}

bool member_index_next(const char **at, char id[MEMBER_ID_SIZE])
{
	while (**at) {
		size_t length = strcspn(*at, " ");
		struct text text = text_init(id, MEMBER_ID_SIZE);

		if (length < MEMBER_ID_SIZE)
			text_add(&text, "%.*s", (int)length, *at);
		*at += length + ((*at)[length] != '\0');
		if (member_is_id(id))
			return true;
	}
	return false;
}
