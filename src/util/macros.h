/* macros.h - the few macros that a function cannot replace. */
#pragma once

#include <stddef.h>

#define ARRAY_SIZE(a)          (sizeof(a) / sizeof((a)[0]))
#define MUST_CHECK             __attribute__((__warn_unused_result__))
#define NORETURN               __attribute__((__noreturn__))
#define PRINTF_LIKE(fmt, args) __attribute__((__format__(__printf__, fmt, args)))

/* The structure that embeds @member at @pointer. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
