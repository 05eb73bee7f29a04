/* stores.h - the question of session/store.h, asked in a helper. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "session/store.h"

struct stores_query {
	int sources_fd; /* a memfd with an array of struct session_source; PID 1 never reads it */
	uint32_t timeout_ms; /* for one address */
	uint32_t total_ms;
	struct membership membership;
	bool release; /* see struct store_query */
};

/*
 * A question's run: takes a struct stores_query, answers once with a struct store_report and with a
 * memfd of findings beside it (see session/finding_file.h), or without it when there was no memory.
 */
void stores_run(const void *query, int answer_fd);

/* A question's run: takes a struct stores_query, deletes our member keys and answers nothing. */
void stores_leave(const void *query, int answer_fd);
