/* Any bytes as a status page: what it counts is never more than what is there. */
#include "fuzz.h"

#include "fpm/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fpm_status status;

	if (fpm_status_parse((const char *)data, size, &status) < 0)
		return 0;
	assert(status.busy <= status.processes);
	assert(status.reading_headers <= status.busy);
	assert(status.processes <= size / sizeof("{\"state\":\"\"}"));
	assert((status.busy > 0) == (status.busy_state != WORKER_IDLE));
	assert(worker_state_name(status.busy_state));
	return 0;
}
