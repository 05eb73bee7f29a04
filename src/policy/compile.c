/*
 * compile ARCH [CALL...] - print the programs of all policies as C, for confine/filter.c.
 *
 * ARCH is the first word of what the compiler calls its target: x86_64, aarch64.  CALLs are allowed
 * to helpers besides, for builds whose instruments make them.
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy/policy.h"

enum { PARTS_MAX = 3 };

#define NOT_THERE SCMP_ACT_ERRNO(ENOSYS)

/* The names are those of enum filter.  What is on no list is as if the kernel did not have it, so
 * that programs take their older way. */
static const struct {
	const char *name;
	uint32_t otherwise;
	int (*parts[PARTS_MAX])(scmp_filter_ctx filter);
} policies[] = {
	{ "ALLOW", NOT_THERE, { policy_allow_standard } },
	{ "ALLOW_STRICT", NOT_THERE, { policy_allow_strict } },
	{ "DENY", SCMP_ACT_ALLOW, { policy_deny, policy_deny_ptrace, policy_deny_chroot } },
	{ "DENY_BUT_PTRACE", SCMP_ACT_ALLOW, { policy_deny, policy_deny_chroot } },
	{ "DENY_BUT_CHROOT", SCMP_ACT_ALLOW, { policy_deny, policy_deny_ptrace } },
	{ "DENY_BUT_BOTH", SCMP_ACT_ALLOW, { policy_deny } },
	{ "DENY_NETWORK", SCMP_ACT_ALLOW, { policy_deny_network } },
	{ "DENY_LEAVING", SCMP_ACT_ALLOW, { policy_deny_leaving } },
	{ "NO_LOGS", SCMP_ACT_ALLOW, { policy_no_logs } },
	{ "HELPER_TRIAL", NOT_THERE, { policy_helper_trial } },
	{ "HELPER_LINKS", NOT_THERE, { policy_helper_links } },
	{ "HELPER_PRIVATE", NOT_THERE, { policy_helper_private } },
	{ "HELPER_NETWORK", NOT_THERE, { policy_helper_network } },
	{ "HELPER_COPY", NOT_THERE, { policy_helper_copy } },
	{ "HELPER_YIELD", NOT_THERE, { policy_helper_yield } },
};

static uint32_t target;

/* --- rules --- */

int policy_rule_if(scmp_filter_ctx filter, uint32_t action, const char *name,
                   const struct scmp_arg_cmp *conditions, unsigned count)
{
	/* Rules are given by our own numbers, whatever the target's are (seccomp_rule_add(3)). */
	int number = seccomp_syscall_resolve_name(name);

	if (number == __NR_SCMP_ERROR || seccomp_syscall_resolve_name_arch(target, name) < 0)
		return 0;
	return seccomp_rule_add_array(filter, action, number, count, conditions);
}

int policy_rule(scmp_filter_ctx filter, uint32_t action, const char *name)
{
	return policy_rule_if(filter, action, name, NULL, 0);
}

int policy_allow(scmp_filter_ctx filter, const char *const names[], size_t count)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++)
		r = policy_rule(filter, SCMP_ACT_ALLOW, names[i]);
	return r;
}

struct scmp_arg_cmp policy_low_half(unsigned argument, unsigned value)
{
	return (struct scmp_arg_cmp){ argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value };
}

int policy_allow_socket(scmp_filter_ctx filter, int family)
{
	const struct scmp_arg_cmp is = policy_low_half(0, (unsigned)family);

	return policy_rule_if(filter, SCMP_ACT_ALLOW, "socket", &is, 1);
}

/* --- programs --- */

static int make(scmp_filter_ctx filter, size_t policy)
{
	int r = seccomp_arch_add(filter, target);

	if (r == -EEXIST)
		r = 0; /* it is our own */
	else if (r >= 0)
		r = seccomp_arch_remove(filter, SCMP_ARCH_NATIVE);
	if (r >= 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; r >= 0 && i < PARTS_MAX && policies[policy].parts[i]; i++)
		r = policies[policy].parts[i](filter);
	/* A binary tree instead of a list: a system call costs the same wherever it stands. */
	if (r >= 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return r;
}

static int print(int fd, const char *name)
{
	struct sock_filter code;
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	printf("static struct sock_filter %s[] = {\n", name);
	while ((n = read(fd, &code, sizeof(code))) == (ssize_t)sizeof(code))
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", code.code, code.jt, code.jf, code.k);
	printf("};\n\n");
	return n == 0 ? 0 : -EIO;
}

static int compile(size_t policy)
{
	scmp_filter_ctx filter = seccomp_init(policies[policy].otherwise);
	int fd = memfd_create("program", MFD_CLOEXEC);
	int r = filter && fd >= 0 ? make(filter, policy) : -ENOMEM;

	if (r >= 0)
		r = seccomp_export_bpf(filter, fd);
	if (r >= 0)
		r = print(fd, policies[policy].name);
	seccomp_release(filter);
	(void)close(fd);
	return r;
}

int main(int argc, char *argv[])
{
	target = argc > 1 ? seccomp_arch_resolve_name(argv[1]) : 0;
	if (target == 0) {
		fprintf(stderr, "policy: libseccomp knows no architecture '%s'\n",
		        argc > 1 ? argv[1] : "");
		return 64;
	}
	policy_extra = (const char *const *)argv + 2;
	printf("/* Made by src/policy for %s. */\n\n", argv[1]);
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		int r = compile(i);

		if (r < 0) {
			fprintf(stderr, "policy: %s: %s\n", policies[i].name, strerror(-r));
			return EXIT_FAILURE;
		}
	}
	printf("static const struct sock_fprog programs[FILTER_COUNT] = {\n");
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
		printf("\t[FILTER_%s] = { ARRAY_SIZE(%s), %s },\n", policies[i].name,
		       policies[i].name, policies[i].name);
	printf("};\n");
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
