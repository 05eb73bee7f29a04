/*
 * filter.h - the syscall filter that every process of an FPM tree lives under.
 *
 * A deny list: what can change namespaces, load code into the kernel, look into other processes or
 * reach rare kernel parts is refused with EPERM, so that programs cope.  clone3() is ENOSYS,
 * because its flags are out of a filter's sight and the C library then falls back to clone(), whose
 * flags are not.  Programs of another architecture are killed.
 *
 * The program is built once by libseccomp, in a helper, and kept in a memfd; children only load it.
 */
#pragma once

#include <stdbool.h>

#include "util/macros.h"

/* What an FPM configuration needs beyond the list. */
struct filter_needs {
	bool ptrace; /* slowlog: FPM reads its workers' memory */
	bool chroot; /* pools with chroot */
};

/* Write the program to @fd.  0 or -errno.  Allocates: for helpers. */
MUST_CHECK int filter_write(int fd, const struct filter_needs *needs);

/*
 * Read the program that filter_write() left in @fd, to be loaded later, when the descriptor is
 * gone.  For one-threaded children: the program is kept in a static buffer.  0 or -errno.
 */
MUST_CHECK int filter_read(int fd);

/*
 * Live under what filter_read() has read, for good.  Needs no_new_privs or CAP_SYS_ADMIN.  0 or
 * -errno; 0 without doing anything when nothing was read.
 */
MUST_CHECK int filter_load(void);
