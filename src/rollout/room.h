/*
 * room.h - how many masters may the container hold at once?  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What is left of the container's limits, and what one more replica takes of it. */
struct room {
	uint64_t memory_left; /* bytes; UINT64_MAX: no limit */
	uint64_t memory_each; /* bytes that the largest replica uses now */
	uint64_t pids_left;   /* UINT64_MAX: no limit */
	uint64_t pids_each;
};

/* The room of a container without limits. */
struct room room_unlimited(void);

/* How many more replicas fit. */
unsigned room_for(const struct room *room, unsigned most);

/*
 * The surge that a roll of @replicas can have where @surge is wanted: that, or as many as fit. With
 * 0 one replica leaves before the first new one comes, so that the number never grows.
 *
 * Returns false when not even that is possible: there is one replica only, and no room for another.
 */
bool room_surge(const struct room *room, unsigned replicas, unsigned surge, unsigned *possible);
