/* meaning.h - what an error answer of Redis means to somebody who runs PHP.  Pure. */
#pragma once

#include "session/finding.h"

struct meaning {
	enum finding_id id;
	const char *begins; /* what the answer begins with, in any case */
	const char *means;  /* after "redis:6379: " */
	const char *fix;    /* what to do */
};

/* The meaning of the error answer @words; NULL when it is none that we know. */
const struct meaning *meaning_of(const char *words);
