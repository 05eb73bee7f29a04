/*
 * filter.h - the syscall filters that FPM trees and helpers live under.
 *
 * The programs are made when twinit is built, from the tables in src/policy, so there is nothing to
 * read, to allocate or to fail at run time but the loading itself.  What is refused by name fails
 * with EPERM, so that programs cope; what is on no list, newer kernels' calls too, with ENOSYS, so
 * that they take an older way.  clone3() is ENOSYS, because its flags are out of a filter's sight
 * and the C library then falls back to clone(), whose flags are not.  Programs of another
 * architecture are killed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"

/* In the order of loading: where several refuse a call, the last one's error is seen. */
enum filter {
	FILTER_ALLOW, /* not more than Docker's default profile */
	FILTER_ALLOW_STRICT,
	FILTER_HELPER_TRIAL,
	FILTER_HELPER_LINKS,
	FILTER_HELPER_PRIVATE,
	FILTER_HELPER_NETWORK,
	FILTER_HELPER_COPY,
	FILTER_HELPER_YIELD,
	FILTER_NEWER, /* calls newer than the lists */
	FILTER_DENY_NETWORK,
	FILTER_DENY_LEAVING, /* a process group cannot be left, no socket be listened on */
	FILTER_NO_LOGS,      /* what is opened as a log file is descriptor 0 */
	FILTER_DENY, /* what changes namespaces, loads code into the kernel, looks into others ...
	              */
	FILTER_DENY_BUT_PTRACE,
	FILTER_DENY_BUT_CHROOT,
	FILTER_DENY_BUT_BOTH,
	FILTER_COUNT,
};

/* A set of them is a mask. */
#define FILTER_BIT(filter) (UINT32_C(1) << (filter))

/* What an FPM configuration needs beyond the deny list. */
struct filter_needs {
	bool ptrace; /* slowlog: FPM reads its workers' memory */
	bool chroot; /* pools with chroot */
};

/* What an FPM tree lives under by the deny list alone. */
uint32_t filter_deny(const struct filter_needs *needs);

/* Does this process live under a filter, whoever gave it to it? */
bool filter_is_present(void);

/*
 * Live under @filters, for good.  Needs no_new_privs or CAP_SYS_ADMIN.  0 or -errno; 0 without
 * doing anything when there are none.
 */
MUST_CHECK int filter_load(uint32_t filters);
