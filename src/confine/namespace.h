/* namespace.h - a mount namespace of one's own, with or without a user namespace around it. */
#pragma once

#include "util/macros.h"

/* Enter a new mount namespace.  Needs CAP_SYS_ADMIN.  0 or -errno. */
MUST_CHECK int namespace_enter(void);

/*
 * Enter a new user namespace in which our user and group ids are what they were (user_namespaces(7)
 * lets anybody map himself), and a new mount namespace inside it; we have all capabilities there.
 * Ids are never mapped to 0: FPM would think it is root and fail to start children.  0 or -errno:
 * EPERM is a seccomp profile's or the kernel's refusal, EACCES AppArmor's.
 */
MUST_CHECK int namespace_enter_as_user(void);
