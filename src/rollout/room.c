#include "rollout/room.h"

struct room room_unlimited(void)
{
	return (struct room){ .memory_left = UINT64_MAX, .pids_left = UINT64_MAX };
}

static uint64_t fits(uint64_t left, uint64_t each)
{
	return left == UINT64_MAX || each == 0 ? UINT64_MAX : left / each;
}

unsigned room_for(const struct room *room, unsigned most)
{
	uint64_t by_memory = fits(room->memory_left, room->memory_each);
	uint64_t by_pids = fits(room->pids_left, room->pids_each);
	uint64_t n = by_memory < by_pids ? by_memory : by_pids;

	return n < most ? (unsigned)n : most;
}

bool room_surge(const struct room *room, unsigned replicas, unsigned surge, unsigned *possible)
{
	/* A single replica is never stopped first, so a roll of it always makes one more. */
	*possible = room_for(room, replicas == 1 ? 1 : surge);
	return *possible > 0 || replicas > 1;
}
