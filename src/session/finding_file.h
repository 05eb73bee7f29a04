/*
 * finding_file.h - findings on their way from the helper through PID 1 to a command: in a memfd
 * that PID 1 passes on and never reads.
 */
#pragma once

#include "session/finding.h"
#include "util/macros.h"

/* Write @findings to @fd, which is empty.  0 or -errno. */
MUST_CHECK int finding_file_write(int fd, const struct findings *findings);

/*
 * Read what finding_file_write() wrote.  The helper has read other servers' bytes, so numbers are
 * checked and texts ended here.  0 and *@findings is filled, or -errno.
 */
MUST_CHECK int finding_file_read(int fd, struct findings *findings);
