#include "confine/caps.h"

#include <errno.h>
#include <sys/capability.h>
#include <sys/prctl.h>

static bool have(cap_value_t cap)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (caps)
		(void)cap_get_flag(caps, cap, CAP_EFFECTIVE, &value);
	(void)cap_free(caps);
	return value == CAP_SET;
}

bool caps_have_sys_admin(void)
{
	return have(CAP_SYS_ADMIN);
}

bool caps_have_kill(void)
{
	return have(CAP_KILL);
}

int caps_empty_bounding(void)
{
	if (!have(CAP_SETPCAP))
		return 0;
	/* Up to the last capability that this kernel knows, not the last one of our headers. */
	for (cap_value_t cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (cap_drop_bound(cap) < 0)
			return -errno;
	return 0;
}

int caps_keep_over_setuid(void)
{
	return prctl(PR_SET_KEEPCAPS, 1) < 0 ? -errno : 0;
}

int caps_drop_all(void)
{
	cap_t none = cap_init();
	int r = 0;

	if (!none)
		return -errno;
	if (cap_set_proc(none) < 0)
		r = -errno;
	(void)cap_free(none);
	return r;
}

int caps_no_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}
