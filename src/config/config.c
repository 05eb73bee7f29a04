#include "config/config.h"

const char *const isolation_words[] = { "auto", "namespace", "path", "none", NULL };
const char *const verify_words[] = { "auto", "required", "report", "off", NULL };

const char *isolation_name(enum isolation isolation)
{
	return isolation_words[isolation];
}

const char *verify_name(enum verify verify)
{
	return verify_words[verify];
}
