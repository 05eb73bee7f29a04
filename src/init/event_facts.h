/* event_facts.h - which news `on_event` hears of, and what it is told. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/news.h"
#include "question/notify.h"

/* News that wait for the program. */
struct event {
	struct news news;
	unsigned number;  /* of events since the start */
	unsigned dropped; /* that nobody was told of before this one */
	uint64_t at_ms;   /* since 1970 */
};

/* Is the program told of news of this kind? */
bool event_is_one(enum news_kind kind);

/* Write what is known of @event to query->facts. */
void event_facts(const struct event *event, struct notify_query *query);
