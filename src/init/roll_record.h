/* roll_record.h - what is remembered of rolls that are over, and how long the steps took.  Pure. */
#pragma once

#include <stdint.h>

#include "rollout/rollout.h"

struct roll_record {
	uint32_t ended[ROLL_OUTCOME_COUNT];  /* how many rolls, by their outcome */
	uint64_t last_ms[ROLL_PHASE_COUNT];  /* how long each step of the last one took */
	uint64_t last_took_ms, last_end_ms;  /* of it; the end by clock_ms(), 0: there was none */
	uint64_t steps_ms[ROLL_PHASE_COUNT]; /* the same of the roll at hand */
	enum roll_phase phase;               /* that it is in */
	uint64_t phase_began_ms;
};

/* The roll is in @phase now; call it whenever that may have changed. */
void roll_record_phase(struct roll_record *record, enum roll_phase phase, uint64_t now_ms);

/* The roll at hand, which took @took_ms, has ended. */
void roll_record_end(struct roll_record *record, enum roll_outcome outcome, uint64_t took_ms,
                     uint64_t now_ms);
