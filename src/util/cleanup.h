/* cleanup.h - give every resource an owner that releases it at scope exit. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* An fd variable is either open or FD_NONE; every owner starts at FD_NONE. */
#define FD_NONE (-EBADF)

/* Close *@fd unless it is FD_NONE, and leave FD_NONE behind.  Keeps errno. */
static inline void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = FD_NONE;
	errno = saved;
}

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void file_closep(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

#define _cleanup_(fn)   __attribute__((__cleanup__(fn)))
#define _cleanup_close_ _cleanup_(fd_close)
#define _cleanup_free_  _cleanup_(freep)
#define _cleanup_file_  _cleanup_(file_closep)

/* Hand the fd to the caller: yields its value and disarms the cleanup. */
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *fd_ = &(fd);                                                                  \
		int taken_ = *fd_;                                                                 \
		*fd_ = FD_NONE;                                                                    \
		taken_;                                                                            \
	})
