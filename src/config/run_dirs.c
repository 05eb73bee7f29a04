#include "config/run_dirs.h"

#include <stddef.h>

const char *const run_dirs[] = { "/run/twinit", "/dev/shm/twinit", "/tmp/twinit", NULL };
