#include "confine/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "policies.h"

enum {
	/* The first number that libseccomp 2.5 and Docker's list of 2024 know nothing of
	 * (statmount); since 424 a call has the same number everywhere (unistd.h of asm-generic).
	 */
	FIRST_NEWER = 457,
};

/* Where the names end: the lists above cannot have them, and what they may do nobody knows. */
static struct sock_filter newer[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_NEWER, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static const struct sock_fprog *program_of(enum filter filter)
{
	static const struct sock_fprog program = { ARRAY_SIZE(newer), newer };

	return filter == FILTER_NEWER ? &program : &programs[filter];
}

uint32_t filter_deny(const struct filter_needs *needs)
{
	enum filter filter = FILTER_DENY;

	if (needs->ptrace && needs->chroot)
		filter = FILTER_DENY_BUT_BOTH;
	else if (needs->ptrace)
		filter = FILTER_DENY_BUT_PTRACE;
	else if (needs->chroot)
		filter = FILTER_DENY_BUT_CHROOT;
	return FILTER_BIT(FILTER_NEWER) | FILTER_BIT(filter);
}

bool filter_is_present(void)
{
	return prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER;
}

int filter_load(uint32_t filters)
{
	for (enum filter filter = 0; filter < FILTER_COUNT; filter++)
		if ((filters & FILTER_BIT(filter)) &&
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program_of(filter)) < 0)
			return -errno;
	return 0;
}
