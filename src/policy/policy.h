/*
 * policy.h - which system calls may be made by whom: tables, which compile.c turns into the BPF
 * programs that the program carries.
 *
 * All of this folder runs when twinit is built, none of it is linked into it: a program cannot be
 * missing or wrong where it is needed, costs nothing to make there, and can be made for another
 * architecture.  confine/filter.h says what each is for.
 */
#pragma once

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macros.h"

/* Rules for calls that this architecture or this libseccomp does not know are left out.  All return
 * 0 or -errno. */
MUST_CHECK int policy_rule(scmp_filter_ctx filter, uint32_t action, const char *name);
MUST_CHECK int policy_rule_if(scmp_filter_ctx filter, uint32_t action, const char *name,
                              const struct scmp_arg_cmp *conditions, unsigned count);
MUST_CHECK int policy_allow(scmp_filter_ctx filter, const char *const names[], size_t count);

/* The kernel looks at the lower half of many arguments only, so the filter must as well. */
struct scmp_arg_cmp policy_low_half(unsigned argument, unsigned value);

/* Sockets of this family. */
MUST_CHECK int policy_allow_socket(scmp_filter_ctx filter, int family);

/* deny.c */
int policy_deny(scmp_filter_ctx filter);
int policy_deny_ptrace(scmp_filter_ctx filter);
int policy_deny_chroot(scmp_filter_ctx filter);
int policy_deny_network(scmp_filter_ctx filter);
int policy_deny_leaving(scmp_filter_ctx filter);
int policy_no_logs(scmp_filter_ctx filter);

/* allow.c */
int policy_allow_standard(scmp_filter_ctx filter);
int policy_allow_strict(scmp_filter_ctx filter);

/* helpers.c; @policy_extra are calls that an instrumented build needs besides, NULL ends them */
extern const char *const *policy_extra;
int policy_helper_trial(scmp_filter_ctx filter);
int policy_helper_links(scmp_filter_ctx filter);
int policy_helper_private(scmp_filter_ctx filter);
int policy_helper_network(scmp_filter_ctx filter);
int policy_helper_copy(scmp_filter_ctx filter);
int policy_helper_yield(scmp_filter_ctx filter);
