#include "confine/caps.h"

#include <errno.h>
#include <linux/securebits.h>
#include <sys/capability.h>
#include <sys/prctl.h>

enum { CAPS_MAX = 64 }; /* places in a mask */

uint64_t caps_effective(void)
{
	cap_t caps = cap_get_proc();
	uint64_t set = 0;

	if (!caps)
		return 0;
	for (int cap = 0; cap < CAPS_MAX; cap++) {
		cap_flag_value_t value = CAP_CLEAR;

		if (cap_get_flag(caps, cap, CAP_EFFECTIVE, &value) == 0 && value == CAP_SET)
			set |= CAP_BIT(cap);
	}
	(void)cap_free(caps);
	return set;
}

int caps_look_for(int cap)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (!caps)
		return -errno;
	(void)cap_get_flag(caps, cap, CAP_EFFECTIVE, &value);
	(void)cap_free(caps);
	return value == CAP_SET;
}

bool caps_have(int cap)
{
	return caps_look_for(cap) > 0;
}

int caps_bound(uint64_t keep)
{
	int r = caps_look_for(CAP_SETPCAP);

	if (r <= 0)
		return r;
	/* Which number is the last is the kernel's business, not our headers': EINVAL. */
	for (int cap = 0; cap < CAPS_MAX; cap++)
		if (!(keep & CAP_BIT(cap)) && cap_drop_bound(cap) < 0)
			return errno == EINVAL ? 0 : -errno;
	return 0;
}

/* Raise in @caps what is both in @keep and permitted now. */
static int choose(cap_t caps, uint64_t keep)
{
	cap_t now = cap_get_proc();
	int r = now ? 0 : -errno;

	for (cap_value_t cap = 0; r == 0 && cap < CAPS_MAX && keep >> cap; cap++) {
		cap_flag_value_t value = CAP_CLEAR;

		(void)cap_get_flag(now, cap, CAP_PERMITTED, &value);
		if (!(keep & CAP_BIT(cap)) || value == CAP_CLEAR)
			continue;
		if (cap_set_flag(caps, CAP_PERMITTED, 1, &cap, CAP_SET) < 0 ||
		    cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, CAP_SET) < 0)
			r = -errno;
	}
	(void)cap_free(now);
	return r;
}

int caps_keep(uint64_t keep)
{
	cap_t caps = cap_init();
	int r = caps ? choose(caps, keep) : -errno;

	/* What is neither permitted nor inheritable cannot be ambient. */
	if (r == 0 && cap_set_proc(caps) < 0)
		r = -errno;
	(void)cap_free(caps);
	return r;
}

/* What whoever started us has locked, and how: another wish is refused (capabilities(7)). */
static unsigned long locked_already(void)
{
	int now = prctl(PR_GET_SECUREBITS);
	unsigned long locks = now < 0 ? 0 : (unsigned long)now & SECURE_ALL_LOCKS;

	return locks | ((unsigned long)now & (locks >> 1));
}

int caps_lock(bool root_counts)
{
	unsigned long bits = SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED |
	                     SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED;
	int r = caps_look_for(CAP_SETPCAP);

	if (r <= 0)
		return r;
	/* Who keeps nothing needs none of it; a root master's workers would keep what it has. */
	if (!root_counts)
		bits |= SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | locked_already();
	return prctl(PR_SET_SECUREBITS, bits) < 0 ? -errno : 0;
}

int caps_no_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}
