/* Any bytes as a status page: what it counts is never more than what is there. */
#include "fuzz.h"

#include "fpm/scripts.h"
#include "fpm/status.h"

static void count_scripts(const char *body, size_t size)
{
	struct fpm_scripts scripts = { 0 };

	fpm_scripts_add(&scripts, body, size, "/srv/app/current");
	assert(scripts.through <= scripts.seen);
	assert(scripts.seen <= size / sizeof("\"script\":\""));
	assert((scripts.through < scripts.seen) == (scripts.example[0] == '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fpm_status status;

	count_scripts((const char *)data, size);
	if (fpm_status_parse((const char *)data, size, &status) < 0)
		return 0;
	assert(status.busy <= status.processes);
	assert(status.reading_headers <= status.busy);
	assert(status.processes <= size / sizeof("{\"state\":\"\"}"));
	assert((status.busy > 0) == (status.busy_state != WORKER_IDLE));
	assert(worker_state_name(status.busy_state));
	return 0;
}
