#include "init/lane_choice.h"

bool lane_has_master(const struct app *app, unsigned lane)
{
	for (size_t i = 0; i < MASTERS_MAX; i++)
		if (app->masters[i].state != MASTER_GONE && app->masters[i].lane == lane)
			return true;
	return false;
}

bool lane_empty(const struct app *app, unsigned lane)
{
	if (lane_has_master(app, lane))
		return false;
	for (unsigned i = 0; i < app->lanes_count; i++)
		if (lane_has_queue(&app->lanes[i], lane))
			return false;
	return true;
}

static bool is_visited(const struct app *app, unsigned lane)
{
	for (unsigned i = 0; i < app->lanes_count; i++)
		if (app->lanes[i].active == lane)
			return true;
	return false;
}

static bool is_usable(const struct app *app, unsigned lane)
{
	for (unsigned i = 0; i < app->lanes_count; i++)
		if (!lanes_usable(&app->lanes[i], lane))
			return false;
	return true;
}

/* Round robin, so that a lane rests as long as it can before it is built on again. */
unsigned lane_pick(const struct app *app)
{
	if (!app->steered)
		return app->lane;
	for (unsigned i = 1; i < LANE_COUNT; i++) {
		unsigned lane = (app->lane + i) % LANE_COUNT;

		if (!is_visited(app, lane) && is_usable(app, lane) && lane_empty(app, lane))
			return lane;
	}
	return LANE_COUNT;
}

bool lane_lost(const struct app *app, unsigned lane)
{
	for (unsigned i = 0; i < app->lanes_count; i++)
		if (app->lanes[i].lost[lane])
			return true;
	return false;
}

bool lane_is_last(const struct app *app)
{
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		if (lane != app->lane && is_usable(app, lane))
			return false;
	return app->steered;
}

unsigned lane_refuge(const struct app *app)
{
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		if (lane != app->lane && is_visited(app, lane) && is_usable(app, lane))
			return lane;
	return app->steered ? lane_pick(app) : LANE_COUNT;
}
