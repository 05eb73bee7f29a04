/* stores.h - the question of session/store.h, asked in a helper. */
#pragma once

#include <stdint.h>

struct stores_query {
	int sources_fd; /* a memfd with an array of struct session_source; PID 1 never reads it */
	uint32_t timeout_ms;
};

/* A question's run: takes a struct stores_query, answers once with a struct store_report. */
void stores_run(const void *query, int answer_fd);
