#include "init/roll_record.h"

#include <string.h>

void roll_record_phase(struct roll_record *record, enum roll_phase phase, uint64_t now_ms)
{
	if (phase == record->phase)
		return;
	record->steps_ms[record->phase] += now_ms - record->phase_began_ms;
	record->phase = phase;
	record->phase_began_ms = now_ms;
}

void roll_record_end(struct roll_record *record, enum roll_outcome outcome, uint64_t took_ms,
                     uint64_t now_ms)
{
	record->ended[outcome]++;
	memcpy(record->last_ms, record->steps_ms, sizeof(record->last_ms));
	memset(record->steps_ms, 0, sizeof(record->steps_ms));
	/* That nothing was to do is no step. */
	record->last_ms[ROLL_IDLE] = 0;
	record->last_took_ms = took_ms;
	record->last_end_ms = now_ms;
}
